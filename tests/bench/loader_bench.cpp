// Decoding and rendering, on one core. Pictures come from $SWAVD_TEST_DATA:
// photos-700.tar for the photographs, cifar10-train.tar for 32x32 pixels.
// `images_per_cpu_second` is the figure to quote; it counts CPU time of the
// benchmark's own thread, and of its decoding helper where there is one (the
// real time then says what the two cost who take turns).

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <benchmark/benchmark.h>

#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/image.h"
#include "dedup_free_loader/isolation/decode_helper.h"
#include "dedup_free_loader/loader.h"
#include "ops/base/check.h"
#include "ops/base/clock.h"
#include "tests/dedup_free_loader/tar_files.h"

namespace {

using swavd::ByteVector;
using swavd::thread_cpu_seconds;
using swavd::loader::AugmentOptions;
using swavd::loader::ChooseRegion;
using swavd::loader::CpuRenderer;
using swavd::loader::CropPlan;
using swavd::loader::CropSpec;
using swavd::loader::decode_image;
using swavd::loader::draw_crop_plans;
using swavd::loader::Image;
using swavd::loader::ImageView;
using swavd::loader::JitterOp;
using swavd::loader::testing::TarFile;

/// A set of files and the crops that are made of each.
struct Set {
  std::vector<TarFile> files;
  std::vector<CropSpec> crops;
};

Set load(const std::string& tar, std::size_t limit) {
  const auto path = swavd::loader::testing::test_data(tar);
  if (path.empty()) {
    return {};
  }
  return {swavd::loader::testing::read_tar(path, limit), {}};
}

const Set& photos() {
  static const Set set = [] {
    Set loaded = load("photos-700.tar", 700);
    loaded.crops = {
        {.count = 2, .size = 224, .scale_min = 0.14, .scale_max = 1.0},
        {.count = 6, .size = 96, .scale_min = 0.05, .scale_max = 0.14}};
    return loaded;
  }();
  return set;
}

/// With the crops of a small model: large pictures for them.
const Set& large_photos() {
  static const Set set = [] {
    Set loaded = photos();
    loaded.crops = {
        {.count = 2, .size = 96, .scale_min = 0.14, .scale_max = 1.0},
        {.count = 4, .size = 48, .scale_min = 0.05, .scale_max = 0.14}};
    return loaded;
  }();
  return set;
}

const Set& cifar() {
  static const Set set = [] {
    Set loaded = load("cifar10-train.tar", 2000);
    loaded.crops = {
        {.count = 2, .size = 64, .scale_min = 0.14, .scale_max = 1.0},
        {.count = 4, .size = 32, .scale_min = 0.05, .scale_max = 0.14}};
    return loaded;
  }();
  return set;
}

/// Counts images and CPU time while it lives.
class Meter {
 public:
  /// `elsewhere`: seconds that other processes have used for it, kept up to
  /// date by the caller; may be null.
  explicit Meter(benchmark::State& state, const double* elsewhere = nullptr)
      : state_(state),
        elsewhere_(elsewhere),
        start_(thread_cpu_seconds()) {}

  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  ~Meter() {
    const double seconds = thread_cpu_seconds() - start_ +
                           (elsewhere_ != nullptr ? *elsewhere_ : 0);
    state_.counters["images_per_cpu_second"] =
        static_cast<double>(state_.iterations()) / seconds;
    state_.counters["cpu_ms_per_image"] =
        seconds * 1e3 / static_cast<double>(state_.iterations());
  }

 private:
  benchmark::State& state_;
  const double* elsewhere_;
  double start_;
};

std::vector<CropPlan> plans_of(
    std::int32_t width,
    std::int32_t height,
    const Set& set,
    std::size_t number) {
  return draw_crop_plans(
      /*seed=*/1,
      {.topic = "images",
       .partition = 0,
       .offset = static_cast<std::int64_t>(number)},
      width,
      height,
      set.crops,
      AugmentOptions{});
}

Image decode(const TarFile& file, const ChooseRegion& choose = nullptr) {
  auto decoded = decode_image(file.bytes, {}, choose);
  const bool good = std::holds_alternative<Image>(decoded);
  return good ? std::get<Image>(std::move(decoded)) : Image{};
}

void render_all(
    const ImageView& image,
    const std::vector<CropPlan>& plans,
    float* out) {
  const AugmentOptions augment;
  const CpuRenderer renderer;
  for (const CropPlan& plan : plans) {
    renderer.render(image, plan, augment, out);
    out += std::size_t{3} * static_cast<std::size_t>(plan.size) *
           static_cast<std::size_t>(plan.size);
  }
}

std::vector<float> room_for(const Set& set) {
  std::size_t floats = 0;
  for (const CropSpec& spec : set.crops) {
    floats += std::size_t{3} * static_cast<std::size_t>(spec.count) *
              static_cast<std::size_t>(spec.size) *
              static_cast<std::size_t>(spec.size);
  }
  return std::vector<float>(floats);
}

bool missing(benchmark::State& state, const Set& set) {
  if (set.files.empty()) {
    state.SkipWithError("set SWAVD_TEST_DATA to the folder of test images");
  }
  return set.files.empty();
}

using GetSet = const Set& (*)();

/// `work(number of the file)` for one file of the set after the other.
template <typename Work>
void each_file(
    benchmark::State& state,
    const Set& set,
    const Work& work,
    const double* elsewhere = nullptr) {
  const Meter meter(state, elsewhere);
  std::size_t next = 0;
  for (auto iteration : state) {
    work(next);
    next = (next + 1) % set.files.size();
  }
}

void decode_only(benchmark::State& state, GetSet get) {
  const Set& set = get();
  if (missing(state, set)) {
    return;
  }
  each_file(state, set, [&](std::size_t number) {
    benchmark::DoNotOptimize(decode(set.files[number]));
  });
}

/// Of the part that the crops need, as small as `fidelity` allows.
void decode_part(benchmark::State& state, GetSet get, double fidelity) {
  const Set& set = get();
  if (missing(state, set)) {
    return;
  }
  each_file(state, set, [&](std::size_t number) {
    const auto choose = [&](std::int32_t width, std::int32_t height) {
      return swavd::loader::wanted_by(
          plans_of(width, height, set, number), fidelity);
    };
    benchmark::DoNotOptimize(decode(set.files[number], choose));
  });
}

/// The whole of a worker's task; `decode(file, choose)` gives an ImageView.
template <typename Decode>
void decode_and_render(
    benchmark::State& state,
    const Set& set,
    double fidelity,
    const Decode& decode,
    const double* elsewhere = nullptr) {
  std::vector<float> out = room_for(set);
  const auto work = [&](std::size_t number) {
    std::vector<CropPlan> plans;
    const auto choose = [&](std::int32_t width, std::int32_t height) {
      plans = plans_of(width, height, set, number);
      return swavd::loader::wanted_by(plans, fidelity);
    };
    render_all(decode(set.files[number], choose), plans, out.data());
    benchmark::ClobberMemory();
  };
  each_file(state, set, work, elsewhere);
}

void in_process(benchmark::State& state, GetSet get, double fidelity) {
  const Set& set = get();
  if (missing(state, set)) {
    return;
  }
  Image image;
  decode_and_render(
      state,
      set,
      fidelity,
      [&](const TarFile& file, const ChooseRegion& choose) {
        image = decode(file, choose);
        return ImageView(image);
      });
}

/// In a process of its own, whose CPU time counts, but for its start.
void isolated(benchmark::State& state, GetSet get) {
  const Set& set = get();
  if (missing(state, set)) {
    return;
  }
  swavd::loader::HelperOptions options;
  options.program = SWAVD_BIN_DIR "/swavd-decode";
  swavd::loader::DecodeHelper helper(options);
  SWAVD_CHECK(helper.decode(set.files[0].bytes, nullptr).ok());
  double helper_seconds = 0;
  decode_and_render(
      state,
      set,
      /*fidelity=*/0,
      [&](const TarFile& file, const ChooseRegion& choose) {
        const auto decoded = helper.decode(file.bytes, choose);
        SWAVD_CHECK(decoded.ok());
        helper_seconds += helper.cpu_seconds();
        return std::get<ImageView>(decoded.value());
      },
      &helper_seconds);
}

/// All crops of decoded pictures with the plans reduced to one stage by
/// `keep`, which shows what each stage costs on top of the bare cut.
void render_stage(
    benchmark::State& state,
    GetSet get,
    void (*keep)(CropPlan&)) {
  const Set& set = get();
  if (missing(state, set)) {
    return;
  }
  std::vector<Image> images;
  std::vector<std::vector<CropPlan>> plans;
  constexpr std::size_t kImages = 100;
  for (std::size_t i = 0; i < std::min(kImages, set.files.size()); ++i) {
    images.push_back(decode(set.files[i]));
    plans.push_back(
        plans_of(images.back().width, images.back().height, set, i));
    for (CropPlan& plan : plans.back()) {
      keep(plan);
    }
  }
  std::vector<float> out = room_for(set);
  const Meter meter(state);
  std::size_t next = 0;
  for (auto iteration : state) {
    render_all(images[next], plans[next], out.data());
    benchmark::ClobberMemory();
    next = (next + 1) % images.size();
  }
}

void keep_all(CropPlan& /*plan*/) {}

void keep_cut(CropPlan& plan) {
  plan.jitter = plan.gray = false;
  plan.blur_sigma = 0;
}

void keep_jitter(CropPlan& plan) {
  plan.gray = false;
  plan.blur_sigma = 0;
}

void keep_blur(CropPlan& plan) {
  plan.jitter = plan.gray = false;
}

void draw_only(benchmark::State& state) {
  Set set;
  set.crops = photos().crops;
  const Meter meter(state);
  std::size_t next = 0;
  for (auto iteration : state) {
    benchmark::DoNotOptimize(plans_of(500, 375, set, next++));
  }
}

BENCHMARK_CAPTURE(decode_only, photos, photos);
BENCHMARK_CAPTURE(decode_part, photos_2x224_6x96, photos, 0);
BENCHMARK_CAPTURE(decode_part, photos_2x96_4x48, large_photos, 0);
BENCHMARK_CAPTURE(decode_part, photos_2x96_4x48_scaled, large_photos, 1);
BENCHMARK_CAPTURE(in_process, photos_2x224_6x96, photos, 0);
BENCHMARK_CAPTURE(in_process, photos_2x96_4x48, large_photos, 0);
BENCHMARK_CAPTURE(in_process, photos_2x96_4x48_scaled, large_photos, 1);
BENCHMARK_CAPTURE(isolated, photos_2x224_6x96, photos);
BENCHMARK_CAPTURE(render_stage, photos_cut, photos, keep_cut);
BENCHMARK_CAPTURE(render_stage, photos_cut_jitter, photos, keep_jitter);
BENCHMARK_CAPTURE(render_stage, photos_cut_blur, photos, keep_blur);
BENCHMARK_CAPTURE(render_stage, photos_all, photos, keep_all);
BENCHMARK_CAPTURE(decode_only, cifar, cifar);
BENCHMARK_CAPTURE(in_process, cifar_2x64_4x32, cifar, 0);
BENCHMARK_CAPTURE(isolated, cifar_2x64_4x32, cifar);
BENCHMARK_CAPTURE(render_stage, cifar_cut, cifar, keep_cut);
BENCHMARK_CAPTURE(render_stage, cifar_cut_jitter, cifar, keep_jitter);
BENCHMARK_CAPTURE(render_stage, cifar_cut_blur, cifar, keep_blur);
BENCHMARK_CAPTURE(render_stage, cifar_all, cifar, keep_all);
BENCHMARK(draw_only);

}  // namespace

BENCHMARK_MAIN();
