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
  // From the ninth step on the average is worth comparing with.
  const auto before = run(options, {}, 108, 5.0, 0);
  EXPECT_EQ(before.halvings, 0U);
  const auto after = run(options, before, 1, 5.0, 0);
  EXPECT_EQ(after.halvings, 1U);
  EXPECT_DOUBLE_EQ(learning_rate(options, after), 2.0);
}

TEST(HalvingSchedule, WaitsForTheCoolDownBeforeTheNextHalving) {
  const auto options = halving();
  auto state = run(options, {}, 109, 5.0, 0);
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

TEST(HalvingSchedule, RemembersWhyItHalved) {
  const auto state = run(halving(), {}, 109, 5.0, 0);
  ASSERT_EQ(state.halvings, 1U);
  EXPECT_EQ(state.last_halving.at, 1090U);
  EXPECT_EQ(state.last_halving.best_at, 90U);
  EXPECT_DOUBLE_EQ(state.last_halving.best_loss, 5.0);
  EXPECT_DOUBLE_EQ(state.last_halving.smoothed_loss, 5.0);
}

TEST(HalvingSchedule, TellsWhenTheFloorIsReached) {
  auto state = run(halving(), {}, 300, 5.0, 0);
  EXPECT_FALSE(at_floor(halving(), state));
  state = run(halving(), state, 500, 5.0, 0);
  EXPECT_TRUE(at_floor(halving(), state));
  ScheduleOptions constant;
  constant.kind = ScheduleKind::kConstant;
  EXPECT_FALSE(at_floor(constant, {}));
}

TEST(HalvingSchedule, ALossThatRoseIsComparedWithItsNewLevel) {
  const auto options = halving();
  auto state = run(options, {}, 90, 5.0, -0.005);
  // A harder stream: 10 % up, then falling as before, still above the best.
  state = run(options, state, 90, 5.05, -0.005);
  state = run(options, state, 60, 4.6, -0.005);
  EXPECT_EQ(state.halvings, 0U);
}

TEST(HalvingSchedule, ALossThatOnlyRisesHalvesAfterTwicePatience) {
  const auto options = halving();
  const auto before = run(options, {}, 205, 4.0, 0.005);
  EXPECT_EQ(before.halvings, 0U);
  const auto after = run(options, before, 5, 5.025, 0.005);
  EXPECT_EQ(after.halvings, 1U);
  EXPECT_EQ(after.last_halving.risen_since, 90U);
}

TEST(SetRate, IsTheRateFromTheNextStepOn) {
  ScheduleOptions constant;
  constant.kind = ScheduleKind::kConstant;
  for (const ScheduleOptions& options :
       {halving(), seer_256gf(CosineVariant::kFixed), constant}) {
    ScheduleState state;
    state.images = 20'000;
    const auto after = with_rate(options, state, 0.7);
    EXPECT_DOUBLE_EQ(learning_rate(options, after), 0.7);
    EXPECT_EQ(after.set_rate.at, 20'000U);
  }
}

TEST(SetRate, IsHalvedFromThereOnAfterACoolDown) {
  const auto options = halving();
  auto state = run(options, {}, 109, 5.0, 0);
  ASSERT_EQ(state.halvings, 1U);
  state = with_rate(options, state, 3.0);
  state = run(options, state, 148, 5.0, 0);
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 3.0);
  state = run(options, state, 4, 5.0, 0);
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 1.5);
  state = run(options, state, 5000, 5.0, 0);
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 0.5);  // the floor
}

TEST(SetRate, MayBeBelowTheFloor) {
  const auto options = halving();
  const auto state = with_rate(options, {}, 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 0.1);
  EXPECT_TRUE(at_floor(options, state));
}

TEST(SetRate, GivesACosineItsShapeFromThereOn) {
  const auto options = seer_256gf(CosineVariant::kRescaled);
  ScheduleState state;
  state.images = 61'035;
  const double plain = learning_rate(options, state);
  auto set = with_rate(options, state, plain / 4);
  set.images = 100'000;
  EXPECT_DOUBLE_EQ(learning_rate(options, set), rate_at(options, 100'000) / 4);
}

TEST(SetRate, StaysWhereACosineHasEndedAtNothing) {
  auto options = seer_256gf(CosineVariant::kRescaled);
  options.end_learning_rate = 0;
  ScheduleState state;
  state.images = 200'000;
  ASSERT_EQ(learning_rate(options, state), 0.0);
  state = with_rate(options, state, 0.2);
  state.images = 300'000;
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 0.2);
}

TEST(SetRate, DuringAWarmUpIsWhereItLeads) {
  auto options = halving();
  options.warmup_images = 1000;
  options.warmup_start = 0.5;
  ScheduleState state;
  state.images = 500;
  state = with_rate(options, state, 2.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 1.25);
  state.images = 1000;
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 2.0);
  // Never above what it leads to.
  state.images = 0;
  EXPECT_DOUBLE_EQ(learning_rate(options, with_rate(options, state, 0.1)), 0.1);
}

TEST(SetRate, TheLastOneCounts) {
  const auto options = seer_256gf(CosineVariant::kFixed);
  ScheduleState state;
  state.images = 20'000;
  state = with_rate(options, with_rate(options, state, 5.0), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate(options, state), 1.0);
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
