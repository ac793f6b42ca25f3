// What files that are made to be expensive cost a loader: photographs of
// photos-700.tar in the folder $SWAVD_TEST_DATA, decoded where their crops need
// it and rendered, alone and with one bomb of tests/odd_files to 99 of them.
// `good_per_cpu_second` counts the photographs alone; `loss_percent` of what
// is had without bombs is the figure to quote.

#include <array>
#include <cstdint>
#include <ctime>
#include <string>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/image.h"
#include "tests/dedup_free_loader/tar_files.h"
#include "tests/odd_files/odd_files.h"

namespace {

using swavd::Bytes;
using swavd::loader::CropPlan;
using swavd::loader::CropSpec;
using swavd::loader::Image;
using swavd::loader::testing::TarFile;
using swavd::odd_files::Kind;
using swavd::odd_files::OddFile;

constexpr std::size_t kPhotographs = 99;
constexpr std::array<CropSpec, 2> kCrops = {
    {{.count = 2, .size = 224, .scale_min = 0.14, .scale_max = 1.0},
     {.count = 6, .size = 96, .scale_min = 0.05, .scale_max = 0.14}}};

const std::vector<TarFile>& photographs() {
  static const std::vector<TarFile> files = [] {
    const auto path = swavd::loader::testing::test_data("photos-700.tar");
    return path.empty() ? std::vector<TarFile>()
                        : swavd::loader::testing::read_tar(path, kPhotographs);
  }();
  return files;
}

std::vector<OddFile> bombs() {
  std::vector<OddFile> files = swavd::odd_files::make_odd_files();
  std::erase_if(
      files, [](const OddFile& file) { return file.kind != Kind::kBomb; });
  return files;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         static_cast<double>(now.tv_nsec) * 1e-9;
}

/// What a worker does with a file, but for the hand-over.
void load(Bytes file, std::size_t number, std::vector<float>& out) {
  const swavd::loader::AugmentOptions augment;
  std::vector<CropPlan> plans;
  const auto choose = [&](std::int32_t width, std::int32_t height) {
    plans = swavd::loader::draw_crop_plans(
        /*seed=*/1,
        {.topic = "images",
         .partition = 0,
         .offset = static_cast<std::int64_t>(number)},
        width,
        height,
        kCrops,
        augment);
    return swavd::loader::union_of(plans);
  };
  const auto decoded = swavd::loader::decode_image(file, {}, choose);
  if (const auto* image = std::get_if<Image>(&decoded)) {
    const swavd::loader::CpuRenderer renderer;
    for (const CropPlan& plan : plans) {
      renderer.render(*image, plan, augment, out.data());
    }
  }
}

double seconds_of_photographs(std::vector<float>& out) {
  const double begin = cpu_seconds();
  for (std::size_t i = 0; i < photographs().size(); ++i) {
    load(photographs()[i].bytes, i, out);
  }
  return cpu_seconds() - begin;
}

/// All photographs and then one bomb, of each kind in turn. The time of both is
/// taken within one iteration, so that a change of the machine's speed meets
/// them alike.
void one_in_a_hundred(
    benchmark::State& state,
    const std::vector<OddFile>& bombs) {
  if (photographs().size() != kPhotographs) {
    state.SkipWithError("set SWAVD_TEST_DATA to the folder of test images");
    return;
  }
  constexpr std::size_t kLargest = 224;
  std::vector<float> out(3 * kLargest * kLargest);
  double good = 0;
  double bad = 0;
  std::size_t next = 0;
  for (auto iteration : state) {
    good += seconds_of_photographs(out);
    const double begin = cpu_seconds();
    load(bombs[next].bytes, kPhotographs, out);
    bad += cpu_seconds() - begin;
    next = (next + 1) % bombs.size();
  }
  const double images =
      static_cast<double>(state.iterations()) * double{kPhotographs};
  state.counters["good_per_cpu_second"] = images / (good + bad);
  state.counters["without_bombs"] = images / good;
  state.counters["loss_percent"] = 100 * bad / (good + bad);
  state.counters["bomb_cpu_ms"] =
      bad * 1e3 / static_cast<double>(state.iterations());
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<OddFile> all = bombs();
  // Each kind as often as the others.
  benchmark::RegisterBenchmark("bombs/all", [&](benchmark::State& state) {
    one_in_a_hundred(state, all);
  })->Iterations(static_cast<std::int64_t>(all.size()));
  for (const OddFile& bomb : all) {
    benchmark::RegisterBenchmark(
        ("bombs/" + bomb.name).c_str(),
        [&](benchmark::State& state) { one_in_a_hundred(state, {bomb}); })
        ->Iterations(3);
  }
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
