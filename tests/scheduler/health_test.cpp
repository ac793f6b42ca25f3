#include "scheduler/health.h"

#include <gtest/gtest.h>

namespace swavd::scheduler {
namespace {

TEST(PrototypeWindow, CountsUseAndPerplexity) {
  PrototypeWindow window(4, 8);
  window.add({0, 1, 2, 3, 0, 1, 2, 3});
  EXPECT_EQ(window.use().used, 4);
  EXPECT_NEAR(window.use().perplexity, 4.0, 1e-12);
}

TEST(PrototypeWindow, ForgetsImagesThatLeftTheWindow) {
  PrototypeWindow window(4, 4);
  window.add({0, 1, 2, 3});
  window.add({3, 3, 3, 3});
  EXPECT_EQ(window.use().used, 1);
  EXPECT_EQ(window.use().images, 4);
  EXPECT_NEAR(window.use().perplexity, 1.0, 1e-12);
}

HealthInput input(double loss, double perplexity, Verdict before) {
  HealthInput in;
  in.images = 1'000'000;
  in.smoothed_loss = loss;
  in.ln_k = 5.704;
  in.use.perplexity = perplexity;
  in.use.images = 3000;
  in.prototypes = 300;
  in.feature_std = 0.08;
  in.feature_dim = 128;
  in.before = before;
  return in;
}

TEST(Health, IsHealthyOnceTheLossLeavesLnK) {
  EXPECT_EQ(judge({}, input(4.5, 200, Verdict::kStarting)), Verdict::kHealthy);
}

TEST(Health, IsStuckWithinOnePercentOfLnK) {
  EXPECT_EQ(judge({}, input(5.69, 200, Verdict::kStarting)), Verdict::kStuck);
}

TEST(Health, DoesNotCallAnUntrainedRunStuckOrCollapsing) {
  auto early = input(5.70, 3, Verdict::kStarting);
  early.images = 1000;
  EXPECT_EQ(judge({}, early), Verdict::kStarting);
}

TEST(Health, CallsACollapseOfAHealthyRun) {
  EXPECT_EQ(judge({}, input(4.5, 3, Verdict::kHealthy)), Verdict::kCollapsing);
  auto point = input(4.5, 200, Verdict::kHealthy);
  point.feature_std = 0.001;
  EXPECT_EQ(judge({}, point), Verdict::kCollapsing);
}

TEST(Health, AWindowJustBegunChangesNoVerdict) {
  auto restarted = input(4.5, 3, Verdict::kHealthy);
  restarted.use.images = 128;
  EXPECT_EQ(judge({}, restarted), Verdict::kHealthy);
}

TEST(Health, RecoversFromACollapse) {
  EXPECT_EQ(
      judge({}, input(4.5, 150, Verdict::kCollapsing)), Verdict::kHealthy);
}

}  // namespace
}  // namespace swavd::scheduler
