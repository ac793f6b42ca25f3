#include "scheduler/learning_rate.h"

#include <gtest/gtest.h>

namespace swavd::scheduler {
namespace {

/// SEER's 256GF run with a batch of one image, so that images are updates.
ScheduleOptions seer_256gf(CosineVariant variant) {
  ScheduleOptions options;
  options.kind = ScheduleKind::kCosine;
  options.learning_rate = 9.6;
  options.warmup_start = 0.15;
  options.warmup_images = 8000;
  options.total_images = 122070;
  options.end_learning_rate = 0.0096;
  options.cosine = variant;
  return options;
}

double rate_at(const ScheduleOptions& options, std::uint64_t images) {
  ScheduleState state;
  state.images = images;
  return learning_rate(options, state);
}

TEST(CosineSchedule, WarmsUpAsVissl) {
  const auto options = seer_256gf(CosineVariant::kFixed);
  EXPECT_DOUBLE_EQ(rate_at(options, 0), 0.15);
  EXPECT_DOUBLE_EQ(rate_at(options, 4000), 4.875);
}

TEST(CosineSchedule, FixedVariantDropsAtTheJoinAsVissl) {
  const auto options = seer_256gf(CosineVariant::kFixed);
  EXPECT_NEAR(rate_at(options, 8000), 9.498725, 1e-6);
  EXPECT_NEAR(rate_at(options, 20000), 8.978689, 1e-6);
  EXPECT_NEAR(rate_at(options, 61035), 4.8048, 1e-6);
  EXPECT_NEAR(rate_at(options, 100000), 0.762532, 1e-6);
  EXPECT_NEAR(rate_at(options, 122069), 0.0096, 1e-6);
}

TEST(CosineSchedule, RescaledVariantStartsAtThePeakAsSwav) {
  const auto options = seer_256gf(CosineVariant::kRescaled);
  EXPECT_NEAR(rate_at(options, 8000), 9.6, 1e-9);
  EXPECT_NEAR(rate_at(options, 20000), 9.340499, 1e-6);
  EXPECT_NEAR(rate_at(options, 61035), 5.331989, 1e-6);
  EXPECT_NEAR(rate_at(options, 100000), 0.868467, 1e-6);
}

TEST(CosineSchedule, StaysAtItsEndPastTheTotal) {
  const auto options = seer_256gf(CosineVariant::kRescaled);
  EXPECT_DOUBLE_EQ(rate_at(options, 10'000'000), 0.0096);
}

TEST(WarmUp, BeginsWhereItsSecondStepWouldBe) {
  ScheduleOptions options;
  options.learning_rate = 4;
  options.warmup_images = 1280;
  options.warmup_start = 0;
  EXPECT_DOUBLE_EQ(rate_one_step_up(4, 1280, 128), rate_at(options, 128));
}

TEST(WarmUp, ShorterThanAStepBeginsAtThePeak) {
  EXPECT_DOUBLE_EQ(rate_one_step_up(4, 100, 128), 4);
}

ScheduleOptions halving() {
  ScheduleOptions options;
  options.learning_rate = 4;
  options.patience_images = 1000;
  options.cooldown_images = 500;
  options.min_improvement = 0.01;
  options.floor = 0.5;
  return options;
}

ScheduleState run(
    const ScheduleOptions& options,
    ScheduleState state,
    std::uint64_t steps,
    double first_loss,
    double slope) {
  for (std::uint64_t i = 0; i < steps; ++i) {
    state = observe(
        options, state, first_loss + slope * static_cast<double>(i), 10);
  }
  return state;
}

TEST(HalvingSchedule, KeepsTheRateWhileTheLossFalls) {
  const auto state = run(halving(), {}, 1000, 6.0, -0.004);
  EXPECT_EQ(state.halvings, 0U);
  EXPECT_DOUBLE_EQ(learning_rate(halving(), state), 4.0);
}

TEST(HalvingSchedule, HalvesAfterPatienceWithoutImprovement) {
  const auto options = halving();
  const auto before = run(options, {}, 100, 5.0, 0);
  EXPECT_EQ(before.halvings, 0U);
  const auto after = run(options, before, 1, 5.0, 0);
  EXPECT_EQ(after.halvings, 1U);
  EXPECT_DOUBLE_EQ(learning_rate(options, after), 2.0);
}

TEST(HalvingSchedule, WaitsForTheCoolDownBeforeTheNextHalving) {
  const auto options = halving();
  auto state = run(options, {}, 101, 5.0, 0);
  ASSERT_EQ(state.halvings, 1U);
  // 500 images of cool-down, then 1000 of patience.
  state = run(options, state, 148, 5.0, 0);
  EXPECT_EQ(state.halvings, 1U);
  state = run(options, state, 4, 5.0, 0);
  EXPECT_EQ(state.halvings, 2U);
}

TEST(HalvingSchedule, StopsHalvingAtTheFloor) {
  const auto options = halving();
  const auto state = run(options, {}, 5000, 5.0, 0);
  EXPECT_EQ(state.halvings, 3U);
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 0.5);
}

TEST(HalvingSchedule, DoesNotCountWarmUpAsPlateau) {
  auto options = halving();
  options.warmup_images = 5000;
  const auto state = run(options, {}, 500, 5.0, 0);
  EXPECT_EQ(state.halvings, 0U);
}

TEST(HalvingSchedule, SmoothedLossOfAConstantIsThatConstant) {
  const auto state = run(halving(), {}, 3, 5.25, 0);
  EXPECT_DOUBLE_EQ(state.smoothed_loss, 5.25);
}

TEST(CosineSchedule, SmoothedLossFollowsWithinAHundredSteps) {
  ScheduleOptions options;
  options.kind = ScheduleKind::kCosine;
  options.total_images = 1'000'000;
  auto state = run(options, {}, 500, 5.7, 0);
  state = run(options, state, 100, 4.7, 0);
  EXPECT_NEAR(state.smoothed_loss, 4.7, 0.05);
}

}  // namespace
}  // namespace swavd::scheduler
