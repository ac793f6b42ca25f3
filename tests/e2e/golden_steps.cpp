#include "tests/e2e/golden_steps.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ops/base/philox.h"
#include "ops/service/config.h"

namespace swavd::e2e {

namespace {

constexpr std::int64_t kChannels = 3;
constexpr int kFrozenSteps = 3;

std::vector<std::string> overrides_of(const GoldenRun& run) {
  return {
      fmt::format("model.head_batch_norm={}", run.batch_norm),
      fmt::format(
          "swav.freeze_prototypes_steps={}", run.frozen ? kFrozenSteps : 0)};
}

service::Config config_of(const GoldenRun& run) {
  const service::LoadedConfig loaded = service::load_config(
      {golden_steps_path(run.configuration + ".toml"), overrides_of(run), {}});
  EXPECT_TRUE(loaded.mistakes.empty())
      << service::format_mistakes(loaded.mistakes);
  return loaded.config;
}

/// Uniform in [-1, 1), from the stream `name` of the run's seed.
std::vector<double>
noise(std::uint64_t seed, const std::string& name, std::int64_t count) {
  Random random(stream_key(seed, name));
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& value : values) {
    value = 2.0 * random.uniform() - 1.0;
  }
  return values;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const GoldenRun& run) {
  return out << run.file() << (run.frozen ? ", frozen" : ", free");
}

std::string golden_steps_path(const std::string& name) {
  return SWAVD_TEST_SOURCE_DIR "/tests/golden/trainer/steps/" + name;
}

Finished init_golden(const GoldenRun& run, const std::string& folder) {
  std::vector<std::string> arguments = {
      "init",
      "--config",
      golden_steps_path(run.configuration + ".toml"),
      "--out",
      folder};
  for (const std::string& text : overrides_of(run)) {
    arguments.insert(arguments.end(), {"--set", text});
  }
  return run_program("swavd", arguments);
}

std::vector<CropTensor> golden_crops(const GoldenRun& run, int step) {
  const service::Config config = config_of(run);
  const std::uint64_t seed = config.model.seed;
  const std::int64_t images = config.loader.batch_images;
  const std::vector<double> colour =
      noise(seed, fmt::format("golden/{}/colour", step), images * kChannels);
  std::vector<CropTensor> crops;
  for (const service::CropConfig& group : config.loader.crops) {
    const std::int64_t area = group.size * group.size;
    for (std::int64_t i = 0; i < group.count; ++i) {
      const std::vector<double> values = noise(
          seed,
          fmt::format("golden/{}/{}", step, crops.size()),
          images * kChannels * area);
      CropTensor crop;
      crop.name = fmt::format("crop.{}", crops.size());
      crop.shape = {images, kChannels, group.size, group.size};
      for (std::size_t at = 0; at < values.size(); ++at) {
        const std::size_t plane = at / static_cast<std::size_t>(area);
        crop.values.push_back(static_cast<float>(values[at] + colour[plane]));
      }
      crops.push_back(std::move(crop));
    }
  }
  return crops;
}

Finished replay(
    const std::string& snapshot,
    const std::string& crops,
    const std::string& out) {
  return run_program(
      "swavd",
      {"replay-step", "--snapshot", snapshot, "--crops", crops, "--out", out});
}

}  // namespace swavd::e2e
