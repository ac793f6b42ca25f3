// An interrupted run and one that nothing interrupted are the same run, to the
// last bit: weights, momenta, statistics, schedule and positions.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;

// Small: bf16 takes seconds for a few images on a processor without AVX-512.
constexpr std::uint64_t kBatch = 8;
constexpr std::uint64_t kSteps = 24;
constexpr int kKills = 4;
constexpr int kDrains = 2;
// A network is trained here, whatever else the machine does.
constexpr std::chrono::milliseconds kTraining = 4 * kPatience;

struct Setting {
  const char* compute;
  const char* ema;
  std::uint64_t queue_images;

  /// Arguments of the daemon.
  [[nodiscard]] std::vector<std::string> arguments() const {
    return {
        "--set",
        fmt::format("model.ema={}", ema),
        "--set",
        fmt::format("swav.queue_images={}", queue_images),
        "--set",
        fmt::format("swav.queue_start_images={}", queue_images)};
  }
};

/// On one stream, so that even the records' addresses are the same.
SiteOptions deterministic(
    const std::string& stream_url,
    const std::string& compute,
    int every_steps) {
  SiteOptions options;
  options.stream_url = stream_url;
  options.preset = "tiny";
  options.every_steps = every_steps;
  options.more = fmt::format(
      "[loader]\norder = \"round_robin\"\nworkers = 2\nbatch_images = {}\n"
      "shuffle_records = 6\n"  // of a partition: three batches
      "[precision]\nthreads = 2\ncompute = \"{}\"\n",
      kBatch,
      compute);
  return options;
}

void train_to_the_end(Site& site, const Setting& setting) {
  const auto daemon = site.start_training(setting.arguments());
  ASSERT_TRUE(site.wait_for_images(*daemon, kSteps * kBatch, kTraining));
  ASSERT_EQ(Site::drain(*daemon), 0);
}

/// Interrupts some steps after a start, before the run has come to its end.
/// Between steps is no more likely than anywhere else: the random delay is
/// the point.
void interrupt(
    Site& site,
    const Setting& setting,
    std::mt19937_64& numbers,
    bool kill) {
  const auto daemon = site.start_training(setting.arguments());
  const auto status = http_status(site.port());
  ASSERT_TRUE(status);
  const auto before = status->value("images", std::uint64_t{0});
  const std::uint64_t target = std::min(
      before + kBatch * std::uniform_int_distribution<std::uint64_t>(
                            1, kSteps / 6)(numbers),
      (kSteps - 2) * kBatch);
  ASSERT_TRUE(site.wait_for_images(*daemon, target, kTraining));
  (void)daemon->wait(std::chrono::milliseconds(
      std::uniform_int_distribution<int>(0, 100)(numbers)));
  if (kill) {
    daemon->kill();
  } else {
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
}

struct Made {
  std::string state;  ///< state_sha256
  json files;
};

std::map<std::uint64_t, Made> snapshots_by_step(const Site& site) {
  std::map<std::uint64_t, Made> made;
  for (const json& snapshot : list_snapshots(site.data_dir())) {
    const json manifest = show_snapshot(
        site.data_dir() + "@" + snapshot.at("id").get<std::string>());
    made[manifest.at("step").get<std::uint64_t>()] = {
        manifest.at("state_sha256").get<std::string>(), manifest.at("files")};
  }
  return made;
}

class ExactResume : public ::testing::TestWithParam<Setting> {};

TEST_P(ExactResume, SixInterruptionsChangeNoByteOfAnySnapshot) {
  const Setting setting = GetParam();
  Site whole(deterministic("", setting.compute, 1));
  // The last block of each partition must be whole, or nothing of it comes.
  fill_folder(whole.path("images"), kSteps * kBatch + 6 * kBatch, 97);
  push(whole.stream_url(), whole.path("images"));
  train_to_the_end(whole, setting);
  ASSERT_FALSE(HasFatalFailure());

  Site torn(deterministic(whole.stream_url(), setting.compute, 2));
  std::mt19937_64 numbers(20261124);
  for (int i = 0; i < kKills + kDrains && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(i);
    interrupt(torn, setting, numbers, i % 3 != 2);
  }
  ASSERT_FALSE(HasFatalFailure());
  train_to_the_end(torn, setting);
  ASSERT_FALSE(HasFatalFailure());

  const auto expected = snapshots_by_step(whole);
  std::uint64_t compared = 0;
  for (const auto& [step, made] : snapshots_by_step(torn)) {
    // One that came due during the write before is left out.
    if (const auto found = expected.find(step); found != expected.end()) {
      ++compared;
      EXPECT_EQ(made.state, found->second.state) << "step " << step;
      EXPECT_EQ(made.files, found->second.files) << "step " << step;
    }
  }
  EXPECT_GE(compared, kSteps / 3);
}

INSTANTIATE_TEST_SUITE_P(
    Precisions,
    ExactResume,
    ::testing::Values(Setting{"fp32", "0", 0}, Setting{"bf16", "0.9", 32}),
    [](const auto& setting) { return std::string(setting.param.compute); });

}  // namespace
}  // namespace swavd::e2e
