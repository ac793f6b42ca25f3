#include "scheduler/anneal.h"

#include <gtest/gtest.h>

namespace swavd::scheduler {
namespace {

double rate_after(
    const ScheduleOptions& branch,
    ScheduleState state,
    std::uint64_t images) {
  state.images += images;
  return learning_rate(branch, state);
}

TEST(Anneal, FallsFromTheRunsRateToTheEndAlongACosine) {
  ScheduleOptions run;
  run.kind = ScheduleKind::kConstant;
  run.learning_rate = 0.8;
  run.warmup_images = 1000;
  ScheduleState state;
  state.images = 5000;
  const ScheduleOptions branch = anneal_from(run, state, 2000, 0.2);
  EXPECT_DOUBLE_EQ(rate_after(branch, state, 0), 0.8);
  EXPECT_DOUBLE_EQ(rate_after(branch, state, 1000), 0.5);
  EXPECT_DOUBLE_EQ(rate_after(branch, state, 2000), 0.2);
  EXPECT_DOUBLE_EQ(rate_after(branch, state, 9000), 0.2);
  double before = 0.8;
  for (std::uint64_t images = 100; images <= 2000; images += 100) {
    const double rate = rate_after(branch, state, images);
    EXPECT_LT(rate, before) << images;
    before = rate;
  }
}

TEST(Anneal, BeginsAtTheHalvedRate) {
  ScheduleOptions run;
  run.kind = ScheduleKind::kFixedThenHalving;
  run.learning_rate = 0.8;
  ScheduleState state;
  state.images = 70;
  state.halvings = 2;
  const ScheduleOptions branch = anneal_from(run, state, 10, 0);
  EXPECT_DOUBLE_EQ(rate_after(branch, state, 0), 0.2);
  EXPECT_DOUBLE_EQ(rate_after(branch, state, 10), 0);
}

TEST(Anneal, MayLeaveARunInItsWarmUpOrInItsCosine) {
  ScheduleOptions run;
  run.kind = ScheduleKind::kCosine;
  run.learning_rate = 1;
  run.warmup_start = 0.1;
  run.warmup_images = 100;
  run.total_images = 500;
  for (const std::uint64_t images : {0U, 50U, 100U, 300U}) {
    ScheduleState state;
    state.images = images;
    const double rate = learning_rate(run, state);
    const ScheduleOptions branch = anneal_from(run, state, 64, 0.01);
    EXPECT_NEAR(rate_after(branch, state, 0), rate, 1e-15) << images;
    EXPECT_NEAR(rate_after(branch, state, 32), (rate + 0.01) / 2, 1e-15);
    EXPECT_DOUBLE_EQ(rate_after(branch, state, 64), 0.01) << images;
  }
}

}  // namespace
}  // namespace swavd::scheduler
