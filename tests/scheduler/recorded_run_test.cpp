// The rule on losses of a real run: RegNetY-200MF of the preset `tiny` on
// pictures of 32 pixels, each batch's loss before its update.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "scheduler/learning_rate.h"

namespace swavd::scheduler {
namespace {

constexpr std::uint64_t kBatch = 64;

std::vector<double> recorded() {
  std::ifstream file(
      std::string(SWAVD_TEST_SOURCE_DIR) +
      "/tests/golden/scheduler/tiny_losses.csv");
  EXPECT_TRUE(file.good());
  std::vector<double> losses;
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    losses.push_back(std::stod(line.substr(line.find(',') + 1)));
  }
  return losses;
}

ScheduleOptions tiny() {
  ScheduleOptions options;
  options.learning_rate = 1;
  options.warmup_images = 3840;
  options.patience_images = 200'000;
  options.cooldown_images = 100'000;
  return options;
}

ScheduleState replay(
    const ScheduleOptions& options,
    const std::vector<double>& losses) {
  ScheduleState state;
  for (const double loss : losses) {
    state = observe(options, state, loss, kBatch);
  }
  return state;
}

/// Deviation from the mean of the neighbours, as a share of the loss, after
/// the warm-up. Of white noise the second difference has 1.5 of its variance
/// when the neighbours' mean is taken off.
double deviation(const std::vector<double>& losses) {
  const std::size_t from = tiny().warmup_images / kBatch;
  double squares = 0;
  std::size_t count = 0;
  for (std::size_t i = from + 1; i + 1 < losses.size(); ++i) {
    const double trend = 0.5 * (losses[i - 1] + losses[i + 1]);
    squares += std::pow((losses[i] - trend) / losses[i], 2) / 1.5;
    ++count;
  }
  return std::sqrt(squares / static_cast<double>(count));
}

TEST(RecordedRun, HasTheChanceThatIsSimulated) {
  const auto losses = recorded();
  ASSERT_GE(losses.size(), 400U);
  EXPECT_NEAR(deviation(losses), 0.012, 0.001);
}

TEST(RecordedRun, IsNotHalvedWhileItLearns) {
  EXPECT_EQ(replay(tiny(), recorded()).halvings, 0U);
  // Nor with a tenth of the patience.
  auto options = tiny();
  options.patience_images /= 10;
  options.cooldown_images /= 10;
  EXPECT_EQ(replay(options, recorded()).halvings, 0U);
}

TEST(RecordedRun, IsHalvedWhenItsEndGoesOnForEver) {
  auto losses = recorded();
  const std::vector<double> end(losses.end() - 100, losses.end());
  constexpr int kAgain = 50;  // 320,000 images
  for (int i = 0; i < kAgain; ++i) {
    losses.insert(losses.end(), end.begin(), end.end());
  }
  const auto state = replay(tiny(), losses);
  EXPECT_EQ(state.halvings, 1U);
  EXPECT_GE(state.last_halving.at - state.last_halving.best_at, 200'000U);
}

}  // namespace
}  // namespace swavd::scheduler
