// A training step on this machine's CPU, preset by preset, with what each of
// its phases takes, what a freeze stops it for, how much slower it is while a
// snapshot is written, and what share of it 16,000 prototypes have. The crops
// are noise: a step costs the same on any.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "ops/base/check.h"
#include "ops/base/philox.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/options.h"
#include "ops/daemon/snapshot_keeper.h"
#include "ops/service/config.h"
#include "state/snapshot_store.h"
#include "tests/state/sample.h"
#include "trainer/nn/swav_head.h"
#include "trainer/openmp_policy.h"
#include "trainer/torch/step_loss.h"
#include "trainer/trainer.h"

namespace swavd::trainer {
namespace {

loader::CropGroup noise(const loader::CropSpec& spec, std::int32_t images) {
  loader::CropGroup group;
  group.crops = spec.count;
  group.size = spec.size;
  const auto floats = static_cast<std::size_t>(spec.count) *
                      static_cast<std::size_t>(images) *
                      static_cast<std::size_t>(spec.size * spec.size) * 3;
  auto values = std::make_shared<std::vector<float>>(floats);
  Random random(/*key=*/1);
  for (float& value : *values) {
    value = static_cast<float>(random.uniform(-2, 2));
  }
  group.data = std::shared_ptr<float>(values, values->data());
  return group;
}

service::LoadedConfig config_of(
    const std::string& preset,
    const std::vector<std::string>& more = {}) {
  service::ConfigSources sources;
  sources.overrides = {
      "data_dir=\"/nowhere\"",
      "stream.url=\"log:///nowhere/images\"",
      fmt::format("model.preset=\"{}\"", preset)};
  sources.overrides.insert(sources.overrides.end(), more.begin(), more.end());
  service::LoadedConfig loaded = service::load_config(sources);
  SWAVD_CHECK(loaded.mistakes.empty());
  return loaded;
}

std::size_t bytes_of(const state::FrozenState& frozen) {
  std::size_t bytes = 0;
  for (const state::TensorFile& file : frozen.tensor_files) {
    for (const state::TensorView& tensor : file.tensors) {
      bytes += tensor.data.size();
    }
  }
  return bytes;
}

/// All the training thread does for a snapshot.
void BM_Freeze(benchmark::State& run, const std::string& preset) {
  auto trainer = daemon::make_trainer(config_of(preset).config);
  SWAVD_CHECK(trainer.ok());
  const std::size_t bytes = bytes_of(trainer.value()->freeze());  // allocates
  for (auto _ : run) {
    benchmark::DoNotOptimize(trainer.value()->freeze());
  }
  run.SetBytesProcessed(run.iterations() * static_cast<std::int64_t>(bytes));
}

/// As many bytes by one memcpy, between buffers that are there.
void BM_Memcpy(benchmark::State& run, const std::string& preset) {
  auto trainer = daemon::make_trainer(config_of(preset).config);
  SWAVD_CHECK(trainer.ok());
  const std::size_t bytes = bytes_of(trainer.value()->freeze());
  trainer.value().reset();
  const std::vector<char> from(bytes, 1);
  std::vector<char> to(bytes, 2);
  for (auto _ : run) {
    std::memcpy(to.data(), from.data(), bytes);
    benchmark::ClobberMemory();
  }
  run.SetBytesProcessed(run.iterations() * static_cast<std::int64_t>(bytes));
}

loader::Batch noise_batch(const service::Config& config) {
  const loader::LoaderOptions options = daemon::loader_options(config);
  loader::Batch batch;
  batch.images = options.batch_images;
  for (const loader::CropSpec& spec : options.crops) {
    batch.groups.push_back(noise(spec, batch.images));
  }
  return batch;
}

/// Seconds of one step.
double time_step(Trainer& trainer, const loader::Batch& batch) {
  const auto begin = std::chrono::steady_clock::now();
  SWAVD_CHECK(trainer.step(batch, 1.0).ok());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

double median(std::vector<double> values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Steps of the learning-bar model on so many threads alone, then while a
/// snapshot of seer-16gf is committed at so many MiB per second (0: as fast as
/// it goes), in turn; `slowdown` is the ratio of the medians, the time that of
/// a commit.
void BM_StepBesideACommit(benchmark::State& run) {
  constexpr double kMilliseconds = 1e3;
  constexpr int kStepsAlone = 12;
  constexpr unsigned kMiBShift = 20;
  service::LoadedConfig loaded = config_of("learning-bar");
  loaded.config.precision.threads = run.range(0);
  auto stepping = daemon::make_trainer(loaded.config);
  auto large = daemon::make_trainer(config_of("seer-16gf").config);
  SWAVD_CHECK(stepping.ok() && large.ok());
  const loader::Batch batch = noise_batch(loaded.config);
  const state::TemporaryFolder folder;
  auto store = state::open_local_store({folder.path().string()});
  SWAVD_CHECK(store.ok());
  const SystemClock clock;
  metrics::Registry registry;
  daemon::KeeperOptions options;
  options.write_rate = static_cast<std::uint64_t>(run.range(1)) << kMiBShift;
  options.retention.keep_last = 1;
  daemon::SnapshotKeeper keeper(
      clock, registry, *store.value(), nullptr, nullptr, options, [](auto&) {});
  time_step(*stepping.value(), batch);  // allocates
  std::uint64_t commits = 0;
  std::vector<double> alone;
  std::vector<double> beside;
  for (auto _ : run) {
    for (int i = 0; i < kStepsAlone; ++i) {
      alone.push_back(time_step(*stepping.value(), batch));
    }
    daemon::SnapshotJob job;
    job.manifest = state::sample_manifest(++commits);
    job.state = large.value()->freeze();
    job.state.step = job.manifest.step;
    const auto begin = std::chrono::steady_clock::now();
    keeper.submit(std::move(job));
    while (!keeper.idle()) {
      beside.push_back(time_step(*stepping.value(), batch));
    }
    run.SetIterationTime(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
            .count());
    SWAVD_CHECK(!keeper.fatal());
  }
  SWAVD_CHECK(store.value()->list().value().size() == 1);
  run.counters["alone_ms"] = median(alone) * kMilliseconds;
  run.counters["beside_ms"] = median(beside) * kMilliseconds;
  run.counters["slowdown"] = median(beside) / median(alone);
}

/// What tests/bench/step_peers lays beside eager PyTorch: the step of its
/// plain_step.py, on trunks that torchvision and timm have too.
std::vector<std::string> peers_step(
    std::vector<std::string> trunk,
    const std::string& compute) {
  trunk.insert(
      trunk.end(),
      {fmt::format("precision.compute=\"{}\"", compute),
       "loader.batch_images=32",
       "loader.crops=[{count=2, size=96, scale=[0.3, 1.0]}, "
       "{count=4, size=48, scale=[0.15, 0.5]}]"});
  return trunk;
}

std::vector<std::string> regnet_y_400mf() {
  return {
      "model.depth=16",
      "model.w0=48",
      "model.wa=27.89",
      "model.wm=2.09",
      "model.group_width=8"};
}

void BM_Step(
    benchmark::State& run,
    const std::string& preset,
    const std::vector<std::string>& more = {}) {
  const service::LoadedConfig loaded = config_of(preset, more);
  auto trainer = daemon::make_trainer(loaded.config);
  SWAVD_CHECK(trainer.ok());
  const loader::Batch batch = noise_batch(loaded.config);
  constexpr int kWarm = 3;  // the first allocate
  for (int i = 0; i < kWarm; ++i) {
    SWAVD_CHECK(trainer.value()->step(batch, 1.0).ok());
  }
  StepPhases sum;
  for (auto _ : run) {
    const auto report = trainer.value()->step(batch, 1.0);
    SWAVD_CHECK(report.ok());
    sum.forward += report.value().phases.forward;
    sum.sinkhorn += report.value().phases.sinkhorn;
    sum.backward += report.value().phases.backward;
    sum.optimizer += report.value().phases.optimizer;
  }
  using benchmark::Counter;
  const auto per_step = [](double seconds) {
    constexpr double kMilliseconds = 1e3;
    return Counter(seconds * kMilliseconds, Counter::kAvgIterations);
  };
  run.counters["steps_per_s"] =
      Counter(static_cast<double>(run.iterations()), Counter::kIsRate);
  run.counters["images_per_s"] = Counter(
      static_cast<double>(run.iterations() * batch.images), Counter::kIsRate);
  run.counters["forward_ms"] = per_step(sum.forward);
  run.counters["sinkhorn_ms"] = per_step(sum.sinkhorn);
  run.counters["backward_ms"] = per_step(sum.backward);
  run.counters["optimizer_ms"] = per_step(sum.optimizer);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
      .count();
}

/// Random vectors of length one that want a gradient.
at::Tensor directions(std::int64_t rows, std::int64_t dim, std::uint64_t key) {
  at::Tensor vectors = at::empty({rows, dim});
  auto* values = vectors.mutable_data_ptr<float>();
  Random random(key);
  for (std::int64_t i = 0; i < vectors.numel(); ++i) {
    values[i] = static_cast<float>(random.normal());
  }
  return normalise_rows(vectors).requires_grad_(true);
}

/// From a step's embeddings to its loss, and back to both gradients, in
/// seconds; of that, its codes alone.
struct LossTime {
  double all = 0;
  double codes = 0;
};

LossTime time_loss(const service::Config& config) {
  const TrainerOptions options = daemon::trainer_options(config);
  const std::int64_t images = config.loader.batch_images;
  std::int64_t crops = 0;
  for (const service::CropConfig& group : config.loader.crops) {
    crops += group.count;
  }
  const at::Tensor embeddings =
      directions(crops * images, options.head.out, /*key=*/1);
  const at::Tensor prototypes =
      directions(options.head.prototypes.front(), options.head.out, /*key=*/2);
  const SwavLossOptions how =
      loss_options(options.swav, /*steps=*/0, /*link=*/nullptr);
  LossTime time;
  const auto begin = std::chrono::steady_clock::now();
  const SetScores scores{at::linear(embeddings, prototypes), {}};
  swav_loss({&scores, 1}, images, how).backward();
  time.all = seconds_since(begin);
  const at::Tensor detached = scores.batch.detach();
  const auto codes = std::chrono::steady_clock::now();
  for (std::int64_t crop = 0; crop < how.assign_crops; ++crop) {
    benchmark::DoNotOptimize(
        sinkhorn(detached.narrow(0, crop * images, images), how.sinkhorn));
  }
  time.codes = seconds_since(codes);
  return time;
}

/// Prototypes, codes and loss of a whole step of seer-8gf in float32, beside
/// forward and backward of a step of fewer images, which counts as many times
/// as the batch is larger: a whole one does not fit into a small machine.
void BM_LossShare(benchmark::State& run) {
  constexpr double kMilliseconds = 1e3;
  constexpr double kPercent = 100;
  const service::Config whole = config_of("seer-8gf").config;
  const service::Config part =
      config_of(
          "seer-8gf",
          {"precision.compute=\"fp32\"",
           fmt::format("loader.batch_images={}", run.range(0))})
          .config;
  auto trainer = daemon::make_trainer(part);
  SWAVD_CHECK(trainer.ok());
  const loader::Batch batch = noise_batch(part);
  time_step(*trainer.value(), batch);  // allocates
  time_loss(whole);
  const double times = static_cast<double>(whole.loader.batch_images) /
                       static_cast<double>(part.loader.batch_images);
  std::vector<double> step;
  std::vector<double> loss;
  std::vector<double> codes;
  for (auto _ : run) {
    const auto report = trainer.value()->step(batch, 1.0);
    SWAVD_CHECK(report.ok());
    const StepPhases& phases = report.value().phases;
    step.push_back((phases.forward + phases.backward) * times);
    const LossTime time = time_loss(whole);
    loss.push_back(time.all);
    codes.push_back(time.codes);
  }
  run.counters["step_ms"] = median(step) * kMilliseconds;
  run.counters["loss_ms"] = median(loss) * kMilliseconds;
  run.counters["codes_ms"] = median(codes) * kMilliseconds;
  run.counters["share_percent"] = median(loss) / median(step) * kPercent;
}

/// CPU time of the process, all threads together.
double cpu_seconds() {
  timespec time{};
  SWAVD_CHECK(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) / 1e9;
}

/// A step of so many images of a preset, with the median time of one. CPU time
/// hardly depends on what else the machine does.
void BM_ImageTime(
    benchmark::State& run,
    const std::string& preset,
    int images) {
  const service::Config config =
      config_of(preset, {fmt::format("loader.batch_images={}", images)}).config;
  auto trainer = daemon::make_trainer(config);
  SWAVD_CHECK(trainer.ok());
  const loader::Batch batch = noise_batch(config);
  time_step(*trainer.value(), batch);  // allocates
  std::vector<double> steps;
  std::vector<double> cpu;
  std::uint64_t peak = 0;
  for (auto _ : run) {
    const double cpu_before = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    const auto report = trainer.value()->step(batch, 1.0);
    SWAVD_CHECK(report.ok());
    steps.push_back(seconds_since(begin));
    cpu.push_back(cpu_seconds() - cpu_before);
    peak = std::max(peak, report.value().peak_bytes);
  }
  run.counters["s_per_image"] = median(steps) / images;
  run.counters["cpu_s_per_image"] = median(cpu) / images;
  run.counters["peak_GB"] = static_cast<double>(peak) / 1e9;
}

BENCHMARK_CAPTURE(BM_Memcpy, seer_16gf, "seer-16gf")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(5)
    ->Repetitions(3);
BENCHMARK_CAPTURE(BM_Freeze, seer_16gf, "seer-16gf")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(5)
    ->Repetitions(3);
BENCHMARK(BM_StepBesideACommit)
    ->ArgNames({"threads", "MiB_per_s"})
    ->Args({2, 0})
    ->Args({2, 64})
    ->Args({2, 32})
    ->Args({1, 0})
    ->Unit(benchmark::kMillisecond)
    ->UseManualTime()
    ->Iterations(3);
BENCHMARK(BM_LossShare)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(5);
BENCHMARK_CAPTURE(BM_ImageTime, tiny, "tiny", 64)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(9);
BENCHMARK_CAPTURE(BM_ImageTime, learning_bar, "learning-bar", 128)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(5);
BENCHMARK_CAPTURE(BM_ImageTime, cifar_resnet18, "cifar-resnet18", 64)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(3);
BENCHMARK_CAPTURE(BM_Step, tiny, "tiny")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MinTime(10);
BENCHMARK_CAPTURE(BM_Step, learning_bar, "learning-bar")
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MinTime(20);
// The preset's own trunk is RegNetY-200MF.
BENCHMARK_CAPTURE(
    BM_Step,
    regnet_y_400mf_fp32,
    "learning-bar",
    peers_step(regnet_y_400mf(), "fp32"))
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(12);
BENCHMARK_CAPTURE(
    BM_Step,
    regnet_y_400mf_bf16,
    "learning-bar",
    peers_step(regnet_y_400mf(), "bf16"))
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(12);
BENCHMARK_CAPTURE(
    BM_Step,
    regnety_002_fp32,
    "learning-bar",
    peers_step({}, "fp32"))
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(12);
BENCHMARK_CAPTURE(
    BM_Step,
    regnety_002_bf16,
    "learning-bar",
    peers_step({}, "bf16"))
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->Iterations(12);

}  // namespace
}  // namespace swavd::trainer

int main(int argc, char** argv) {
  swavd::trainer::prefer_sleeping_threads(argv);  // as the daemon does
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
