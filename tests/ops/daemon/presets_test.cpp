// The shipped presets against what SEER, SwAV and lightly publish, and the
// pages that list them.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/daemon/memory_need.h"
#include "ops/daemon/options.h"
#include "ops/service/config.h"
#include "trainer/model/check_options.h"
#include "trainer/model/multiply_adds.h"
#include "trainer/model/tensor_specs.h"

namespace swavd::daemon {
namespace {

using testing::ElementsAre;
using trainer::TensorSpec;
using trainer::TrainerOptions;
using trainer::TrunkDesign;

service::Config preset_config(const std::string& name) {
  service::LoadedConfig loaded =
      service::load_config({"", {"model.preset=" + name}, {}});
  EXPECT_THAT(loaded.mistakes, testing::IsEmpty()) << name;
  return loaded.config;
}

/// What a preset's model consists of, in parameters.
struct PresetModel {
  TrainerOptions options;
  TrunkDesign trunk;
  std::int64_t trunk_parameters = 0;
  std::int64_t head_parameters = 0;
  std::int64_t prototype_parameters = 0;

  explicit PresetModel(const std::string& name)
      : options(trainer_options(preset_config(name))),
        trunk(trainer::design_trunk(options.trunk).value()) {
    for (const TensorSpec& spec : trunk_specs(trunk)) {
      count(spec, trunk_parameters);
    }
    for (const TensorSpec& spec : head_specs(trunk.features(), options.head)) {
      count(
          spec,
          spec.name.starts_with("prototypes.") ? prototype_parameters
                                               : head_parameters);
    }
  }

  [[nodiscard]] std::int64_t whole() const {
    return trunk_parameters + head_parameters + prototype_parameters;
  }

 private:
  static void count(const TensorSpec& spec, std::int64_t& sum) {
    if (spec.role == trainer::Role::kParameter) {
      sum += element_count(spec);
    }
  }
};

TEST(Presets, AreAllModelsThatCanBeBuilt) {
  for (const std::string& name : service::preset_names()) {
    const TrainerOptions options = trainer_options(preset_config(name));
    const Status checked = check_options(options);
    EXPECT_TRUE(checked.ok()) << name << ": " << checked.error().message;
    EXPECT_TRUE(trainer::design_trunk(options.trunk).ok()) << name;
  }
}

TEST(Presets, HaveThePublishedParameterCounts) {
  const std::vector<std::pair<std::string, std::int64_t>> whole = {
      {"seer-8gf", 67367228},
      {"seer-16gf", 114898068},
      {"seer-32gf", 178484746},
      {"seer-64gf", 390081082},
      {"seer-128gf", 771293814},
      {"seer-256gf", 1431032042},
      {"seer-10b", 9628923288}};
  for (const auto& [name, parameters] : whole) {
    EXPECT_EQ(PresetModel(name).whole(), parameters) << name;
  }
  EXPECT_EQ(PresetModel("swav-rn50").trunk_parameters, 23508032);
  EXPECT_EQ(PresetModel("swav-rn50-w2").trunk_parameters, 93907072);
  EXPECT_EQ(PresetModel("swav-rn50-w4").trunk_parameters, 375378176);
  EXPECT_EQ(PresetModel("cifar-resnet18").trunk_parameters, 11168832);
}

/// How a run went. Steps are counted over all ranks. From, in this order: the
/// names of SEER's 16GF and 128GF checkpoints; SEER's model card for 256GF;
/// VISSL's configuration of the 10B run; the three scripts of the swav
/// repository (swav_800ep_pretrain.sh, swav_RN50w2_400ep_pretrain.sh,
/// swav_RN50w4_400ep_pretrain.sh), whose epochs are of ImageNet's 1,281,167
/// images without the rest that fills no batch.
struct PublishedRun {
  std::string preset;
  std::int64_t rank_images = 0;
  std::uint64_t ranks = 0;
  double rate = 0;
  double warmup_start = 0;
  std::uint64_t warmup_steps = 0;
  std::uint64_t steps = 0;  ///< 0: no planned end
  double end_rate = 0;
  std::string cosine;  ///< empty: not cosine
};

const std::vector<PublishedRun> kRuns = {
    {"seer-16gf", 32, 128, 4.8, .3, 8000, 244000, .0048, "fixed"},
    {"seer-128gf", 32, 128, 4.8, .3, 8000, 0, 0, ""},
    {"seer-256gf", 16, 512, 9.6, .15, 8000, 122070, .0096, "fixed"},
    {"seer-10b", 16, 496, 9.3, .15, 5500, 126008, .0093, "fixed"},
    {"swav-rn50", 64, 64, 4.8, .3, 10 * 312, 800 * 312, .0048, "rescaled"},
    {"swav-rn50-w2", 32, 128, 4.8, .3, 10 * 312, 400 * 312, .0048, "rescaled"},
    {"swav-rn50-w4", 40, 64, 4.8, .3, 10 * 500, 400 * 500, .0048, "rescaled"}};

TEST(Presets, HaveThePublishedBatchesAndSchedules) {
  for (const PublishedRun& run : kRuns) {
    const service::Config config = preset_config(run.preset);
    const std::uint64_t step_images =
        static_cast<std::uint64_t>(run.rank_images) * run.ranks;
    EXPECT_EQ(config.loader.batch_images, run.rank_images) << run.preset;
    const service::ScheduleConfig& schedule = config.schedule;
    EXPECT_EQ(schedule.learning_rate, run.rate) << run.preset;
    EXPECT_EQ(schedule.warmup_start, run.warmup_start) << run.preset;
    EXPECT_EQ(schedule.warmup_images, run.warmup_steps * step_images)
        << run.preset;
    EXPECT_EQ(schedule.total_images, run.steps * step_images) << run.preset;
    EXPECT_EQ(schedule.end_learning_rate, run.end_rate) << run.preset;
    EXPECT_EQ(
        schedule.kind, run.cosine.empty() ? "fixed-then-halving" : "cosine")
        << run.preset;
    if (!run.cosine.empty()) {
      EXPECT_EQ(schedule.cosine, run.cosine) << run.preset;
    }
  }
}

// 0.3 for every 256 images; SwAV's widest net kept the rate of 4,096.
TEST(Presets, RatesFollowTheLinearRule) {
  for (const PublishedRun& run : kRuns) {
    if (run.preset != "swav-rn50-w4") {
      const double images =
          static_cast<double>(run.rank_images) * static_cast<double>(run.ranks);
      EXPECT_DOUBLE_EQ(run.rate, .3 * images / 256) << run.preset;
    }
  }
}

void expect_crop(
    const service::CropConfig& crop,
    const service::CropConfig& published,
    const std::string& preset) {
  EXPECT_EQ(crop.count, published.count) << preset;
  EXPECT_EQ(crop.size, published.size) << preset;
  EXPECT_EQ(crop.scale_min, published.scale_min) << preset;
  EXPECT_EQ(crop.scale_max, published.scale_max) << preset;
}

/// What the loss was made of, and in which precision.
struct PublishedLoss {
  std::string preset;
  double temperature = 0;
  double epsilon = 0;
  std::int64_t iterations = 0;
  std::int64_t prototypes = 0;
  std::int64_t frozen_steps = 0;
  std::uint64_t queue = 0;  ///< images of all ranks, from the first step on
  double weight_decay = 0;
  std::string precision;
};

const std::vector<PublishedLoss> kLosses = {
    // Names of SEER's checkpoints ("sinkhorn10_proto16k"), its epsilon as the
    // paper gives it, VISSL's defaults for the rest; precision: apex, O1.
    {"seer-8gf", .1, .05, 10, 16000, 313, 0, 1e-5, "fp16"},
    {"seer-16gf", .1, .05, 10, 16000, 313, 0, 1e-5, "fp16"},
    {"seer-32gf", .1, .05, 10, 16000, 313, 0, 1e-5, "fp16"},
    {"seer-64gf", .1, .05, 10, 16000, 313, 0, 1e-5, "fp16"},
    {"seer-128gf", .1, .05, 10, 16000, 313, 0, 1e-5, "fp16"},
    {"seer-256gf", .1, .05, 10, 16000, 313, 0, 1e-5, "fp16"},
    // VISSL's configuration of the run; precision: PyTorch's, with GradScaler.
    {"seer-10b", .1, .03, 10, 16000, 313, 0, 1e-5, "fp16"},
    // The scripts: --epsilon, --queue_length, --epoch_queue_starts 0,
    // --freeze_prototypes_niters, --wd, --use_fp16 true.
    {"swav-rn50", .1, .05, 3, 3000, 313, 0, 1e-6, "fp16"},
    {"swav-rn50-w2", .1, .05, 3, 3000, 313, 0, 1e-6, "fp16"},
    {"swav-rn50-w4", .1, .05, 3, 3000, 313, 2560, 1e-6, "fp16"},
    // lightly's benchmark: its SwaVLoss' defaults, one set of 512, no mixed
    // precision.
    {"cifar-resnet18", .1, .05, 3, 512, 0, 0, 1e-6, "fp32"}};

TEST(Presets, HaveThePublishedLossAndPrecision) {
  for (const PublishedLoss& run : kLosses) {
    const service::Config config = preset_config(run.preset);
    const service::SwavConfig& swav = config.swav;
    EXPECT_EQ(swav.temperature, run.temperature) << run.preset;
    EXPECT_EQ(swav.epsilon, run.epsilon) << run.preset;
    EXPECT_EQ(swav.sinkhorn_iterations, run.iterations) << run.preset;
    EXPECT_THAT(swav.prototypes, ElementsAre(run.prototypes)) << run.preset;
    EXPECT_EQ(swav.freeze_prototypes_steps, run.frozen_steps) << run.preset;
    EXPECT_EQ(swav.queue_images, run.queue) << run.preset;
    EXPECT_EQ(swav.queue_start_images, 0U) << run.preset;
    EXPECT_EQ(swav.assign_crops, 2) << run.preset;
    EXPECT_EQ(swav.hard_assignment_steps, 0) << run.preset;
    EXPECT_FALSE(swav.pass_per_crop) << run.preset;
    EXPECT_EQ(config.optimizer.kind, "larc") << run.preset;
    EXPECT_EQ(config.optimizer.momentum, .9) << run.preset;
    EXPECT_EQ(config.optimizer.trust, .001) << run.preset;
    EXPECT_EQ(config.optimizer.weight_decay, run.weight_decay) << run.preset;
    EXPECT_EQ(config.precision.compute, run.precision) << run.preset;
  }
}

// What was published under a name is in the table above; the others are ours.
TEST(Presets, AreComparedWithASourceUnlessTheyAreOurOwn) {
  std::vector<std::string> compared = {"cifar-regnet", "learning-bar", "tiny"};
  for (const PublishedLoss& run : kLosses) {
    compared.push_back(run.preset);
  }
  EXPECT_THAT(
      service::preset_names(), testing::UnorderedElementsAreArray(compared));
}

/// What is the same in all runs of SEER, and of SwAV.
void expect_augmentation(
    const service::LoaderConfig& loader,
    const std::string& preset) {
  EXPECT_EQ(loader.flip_probability, .5) << preset;
  EXPECT_EQ(loader.jitter_probability, .8) << preset;
  EXPECT_EQ(loader.jitter_strength, 1.) << preset;
  EXPECT_EQ(loader.gray_probability, .2) << preset;
  EXPECT_EQ(loader.blur_probability, .5) << preset;
  EXPECT_EQ(loader.blur_sigma_min, .1) << preset;
  EXPECT_EQ(loader.blur_sigma_max, 2.) << preset;
  EXPECT_THAT(loader.mean, ElementsAre(.485, .456, .406)) << preset;
}

TEST(Presets, OfSeerHaveItsHeadsAndCrops) {
  const std::vector<std::string> with_batch_norm = {
      "seer-8gf", "seer-16gf", "seer-32gf"};
  for (const std::string preset :
       {"seer-8gf",
        "seer-16gf",
        "seer-32gf",
        "seer-64gf",
        "seer-128gf",
        "seer-256gf",
        "seer-10b"}) {
    const service::Config config = preset_config(preset);
    const bool small = std::ranges::count(with_batch_norm, preset) > 0;
    const std::int64_t hidden = small ? 4096 : 8192;
    EXPECT_EQ(config.model.trunk, "regnet_y") << preset;
    EXPECT_THAT(config.model.head_hidden, ElementsAre(hidden, hidden));
    EXPECT_EQ(config.model.head_batch_norm, small) << preset;
    EXPECT_EQ(config.model.head_out, 256) << preset;
    const bool largest = preset == "seer-10b";
    ASSERT_EQ(config.loader.crops.size(), 2U) << preset;
    expect_crop(
        config.loader.crops[0], {2, largest ? 160 : 224, .14, 1}, preset);
    expect_crop(config.loader.crops[1], {4, 96, .05, .14}, preset);
    expect_augmentation(config.loader, preset);
    EXPECT_THAT(config.loader.std, ElementsAre(.229, .224, .225)) << preset;
  }
}

TEST(Presets, OfSwavAreItsScripts) {
  struct Script {
    std::string preset;
    std::int64_t widen;
    std::int64_t hidden;
    std::int64_t small_crops;
    double scale_min;
    double small_scale_min;
  };

  const std::vector<Script> scripts = {
      {"swav-rn50", 1, 2048, 6, .14, .05},
      {"swav-rn50-w2", 2, 8192, 4, .14, .05},
      {"swav-rn50-w4", 4, 8192, 4, .08, .08}};
  for (const Script& script : scripts) {
    const std::string& preset = script.preset;
    const service::Config config = preset_config(preset);
    EXPECT_EQ(config.model.trunk, "resnet") << preset;
    EXPECT_EQ(config.model.block, "bottleneck") << preset;
    EXPECT_THAT(config.model.stage_depths, ElementsAre(3, 4, 6, 3)) << preset;
    EXPECT_EQ(config.model.widen, script.widen) << preset;
    EXPECT_EQ(config.model.stem, "imagenet") << preset;
    EXPECT_THAT(config.model.head_hidden, ElementsAre(script.hidden)) << preset;
    EXPECT_EQ(config.model.head_out, 128) << preset;
    EXPECT_TRUE(config.model.head_batch_norm) << preset;
    ASSERT_EQ(config.loader.crops.size(), 2U) << preset;
    expect_crop(config.loader.crops[0], {2, 224, script.scale_min, 1}, preset);
    expect_crop(
        config.loader.crops[1],
        {script.small_crops, 96, script.small_scale_min, .14},
        preset);
    expect_augmentation(config.loader, preset);
    // SwAV's source has .228 where everybody else has .229.
    EXPECT_THAT(config.loader.std, ElementsAre(.228, .224, .225)) << preset;
  }
}

TEST(Presets, CifarResnet18IsThePublicBenchmarksModel) {
  const service::Config config = preset_config("cifar-resnet18");
  EXPECT_EQ(config.model.stem, "cifar");
  EXPECT_EQ(config.model.block, "basic");
  EXPECT_THAT(config.model.stage_depths, ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(config.model.head_hidden, ElementsAre(512));
  EXPECT_EQ(config.model.head_out, 128);
  ASSERT_EQ(config.loader.crops.size(), 1U);
  expect_crop(config.loader.crops[0], {2, 32, .14, 1}, "cifar-resnet18");
  EXPECT_EQ(config.loader.blur_probability, 0);
  EXPECT_EQ(config.loader.batch_images, 512);
  EXPECT_EQ(config.schedule.total_images, 200U * 50'000U);
  EXPECT_EQ(config.schedule.end_learning_rate, 0);
}

/// "1,431,032,042".
std::string grouped_digits(std::int64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0;
       at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string trunk_kind(const trainer::TrunkOptions& options) {
  const auto* resnet = std::get_if<trainer::ResNetOptions>(&options);
  if (resnet == nullptr) {
    const auto& regnet = std::get<trainer::RegNetOptions>(options);
    return regnet.type == trainer::RegNetType::kY ? "RegNetY" : "RegNetX";
  }
  std::string kind = resnet->groups > 1 ? "ResNeXt" : "ResNet";
  if (resnet->widen > 1) {
    kind += fmt::format(" w{}", resnet->widen);
  }
  if (resnet->stem == trainer::ResNetStem::kCifar) {
    kind += ", 3x3 stem";
  }
  return kind;
}

std::string preset_row(const std::string& name) {
  const PresetModel model(name);
  return fmt::format(
      "| `{}` | {}, {} | {} | {} | {} | {} | {} | {} |\n",
      name,
      trunk_kind(model.options.trunk),
      fmt::join(model.trunk.depths(), "-"),
      model.trunk.features(),
      grouped_digits(model.trunk_parameters),
      grouped_digits(model.head_parameters),
      grouped_digits(model.prototype_parameters),
      grouped_digits(model.whole()),
      model.trunk.names == trainer::NameStyle::kHuggingFace ? "transformers"
                                                            : "timm");
}

std::string preset_table() {
  std::string table =
      "| preset | trunk, blocks of its stages | features | trunk | head | "
      "prototypes | all | tensor names |\n|---|---|---|---|---|---|---|---|\n";
  for (const std::string& name : service::preset_names()) {
    table += preset_row(name);
  }
  return table;
}

/// CPU time that one image of a step took, as `BM_ImageTime` gave it.
struct MeasuredTime {
  std::string preset;
  double seconds = 0;
};

/// tests/golden/trainer/step_times.txt: a preset and its seconds a line.
std::vector<MeasuredTime> measured_times() {
  std::ifstream file(
      std::filesystem::path(SWAVD_TEST_SOURCE_DIR) /
      "tests/golden/trainer/step_times.txt");
  std::vector<MeasuredTime> times;
  MeasuredTime time;
  while (file >> time.preset >> time.seconds) {
    times.push_back(time);
  }
  return times;
}

/// Of the trunk, forward, all crops of an image.
double image_multiply_adds(const std::string& name) {
  const service::Config config = preset_config(name);
  const auto trunk =
      trainer::design_trunk(trainer_options(config).trunk).value();
  double sum = 0;
  for (const service::CropConfig& crop : config.loader.crops) {
    sum += static_cast<double>(crop.count) *
           static_cast<double>(trainer::multiply_adds(trunk, crop.size));
  }
  return sum;
}

/// Two digits or more, without an exponent.
std::string rounded(double value) {
  constexpr double kTwoDigits = 10;
  return value < kTwoDigits ? fmt::format("{:.2g}", value)
                            : fmt::format("{:.0f}", value);
}

/// Measured, or worked out from the last preset that was.
std::string image_time(
    const std::string& name,
    const std::vector<MeasuredTime>& times) {
  for (const MeasuredTime& time : times) {
    if (time.preset == name) {
      return rounded(time.seconds) + " s, measured";
    }
  }
  const MeasuredTime& base = times.back();
  return fmt::format(
      "{} s, computed",
      rounded(
          base.seconds * image_multiply_adds(name) /
          image_multiply_adds(base.preset)));
}

MemoryNeed need_of(const std::string& name, const std::string& groups) {
  const service::LoadedConfig loaded = service::load_config(
      {"",
       {"model.preset=" + name, "precision.checkpoint_groups=" + groups},
       {}});
  EXPECT_THAT(loaded.mistakes, testing::IsEmpty()) << name;
  return memory_need(loaded.config).value();
}

std::string need_row(
    const std::string& name,
    const std::vector<MeasuredTime>& times) {
  constexpr double kGiga = 1e9;
  const service::Config config = preset_config(name);
  const MemoryNeed whole = need_of(name, "0");
  const MemoryNeed groups = need_of(name, "4");
  const auto giga = [](std::uint64_t bytes) {
    return fmt::format("{:.2f}", static_cast<double>(bytes) / kGiga);
  };
  return fmt::format(
      "| `{}` | {} | {} | {} | {} / {} | {} / {} | {} | {} |\n",
      name,
      grouped_digits(PresetModel(name).whole()),
      config.loader.batch_images,
      config.precision.compute,
      giga(whole.step.activations),
      giga(groups.step.activations),
      giga(whole.total()),
      giga(groups.total()),
      rounded(image_multiply_adds(name) / kGiga),
      image_time(name, times));
}

std::string need_table(const std::vector<MeasuredTime>& times) {
  std::string table =
      "| preset | parameters | images a step | precision | activations of the "
      "trunk, GB | whole run, GB | 10^9 multiply-adds an image | CPU time an "
      "image |\n|---|---|---|---|---|---|---|---|\n";
  for (const std::string& name : service::preset_names()) {
    table += need_row(name, times);
  }
  return table;
}

std::string read_page(const std::filesystem::path& page) {
  std::ifstream file(page, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What stands between the marks of a page of ops/docs is `table`.
/// SWAVD_UPDATE_DOCS=1 puts it there.
void expect_on_page(const std::string& name, const std::string& table) {
  constexpr std::string_view kBegin = "<!-- presets -->\n";
  constexpr std::string_view kEnd = "<!-- end of presets -->\n";
  const std::filesystem::path path =
      std::filesystem::path(SWAVD_TEST_SOURCE_DIR) / "ops/docs" / name;
  std::string page = read_page(path);
  const std::size_t begin = page.find(kBegin);
  const std::size_t end = page.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const std::size_t from = begin + kBegin.size();
  if (std::getenv("SWAVD_UPDATE_DOCS") != nullptr) {
    page.replace(from, end - from, table);
    std::ofstream(path, std::ios::binary) << page;
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), table)
      << "run this test with SWAVD_UPDATE_DOCS=1";
}

TEST(Presets, AreListedOnThePageWithTheirParameters) {
  expect_on_page("models.md", preset_table());
}

TEST(Presets, AreListedOnThePageWithWhatTheyNeed) {
  const std::vector<MeasuredTime> times = measured_times();
  ASSERT_FALSE(times.empty());
  expect_on_page("precision.md", need_table(times));
}

}  // namespace
}  // namespace swavd::daemon
