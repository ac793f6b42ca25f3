#include "scheduler/health_monitor.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::scheduler {
namespace {

constexpr std::int64_t kPrototypes = 40;
constexpr std::int64_t kDim = 4;
constexpr std::uint64_t kImages = 20;
const double kLnK = std::log(static_cast<double>(kPrototypes));

/// A run whose images use every prototype and every direction.
class WatchedRun {
 public:
  explicit WatchedRun(const HealthFigures& before = {})
      : monitor_(options(), kPrototypes, kLnK, kDim, before) {}

  static HealthOptions options() {
    HealthOptions chosen;
    chosen.settled_after_images = 400 * kImages;
    chosen.diverging_after_images = 100 * kImages;
    return chosen;
  }

  /// Runs `steps` steps and gives how many it took until `verdict`, or -1.
  int until(Verdict verdict, int steps) {
    for (int i = 1; i <= steps; ++i) {
      step();
      if (figures().health.verdict == verdict) {
        return i;
      }
    }
    return -1;
  }

  void train(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
    }
  }

  const HealthFigures& figures() const { return monitor_.figures(); }

  double loss = 3.0;
  double grad_norm = 1.0;
  bool constant_images = false;

 private:
  void step() {
    std::vector<std::int32_t> tops(kImages, 7);
    std::vector<float> embeddings(kDim, 0.0F);
    if (constant_images) {
      embeddings[0] = 1.0F;
    } else {
      for (std::int32_t& top : tops) {
        top = static_cast<std::int32_t>(next_++ % kPrototypes);
      }
      embeddings[static_cast<std::size_t>(next_ / kImages) % kDim] = 1.0F;
    }
    images_ += kImages;
    monitor_.observe(
        {kImages, loss, grad_norm, 0.5, tops, embeddings}, images_);
  }

  HealthMonitor monitor_;
  std::uint64_t images_ = 0;
  std::int32_t next_ = 0;
};

TEST(HealthMonitor, IsHealthyOnceThereAreTwoImagesAPrototype) {
  WatchedRun run;
  EXPECT_EQ(run.until(Verdict::kHealthy, 100), 4);
  run.train(16);
  EXPECT_NEAR(run.figures().rank, 4.0, 1e-4);
  EXPECT_EQ(run.figures().use.used, kPrototypes);
}

TEST(HealthMonitor, TellsThatImagesHaveBecomeAllTheSame) {
  WatchedRun run;
  run.train(300);
  run.constant_images = true;
  // The window holds ten images a prototype: 400.
  const int steps = run.until(Verdict::kCollapsing, 100);
  EXPECT_GT(steps, 0);
  EXPECT_LE(steps, 400 / static_cast<int>(kImages));
}

TEST(HealthMonitor, TellsARunThatBeginsWithOneImageAtItsTime) {
  WatchedRun run;
  run.loss = kLnK;
  run.constant_images = true;
  EXPECT_EQ(run.until(Verdict::kCollapsing, 1000), 400);
}

TEST(HealthMonitor, TellsARunThatStaysAtLnKAtItsTime) {
  WatchedRun run;
  run.loss = kLnK;
  run.train(399);
  EXPECT_EQ(run.figures().health.reason, Reason::kTooEarly);
  run.train(1);
  EXPECT_EQ(
      run.figures().health, (Health{Verdict::kWarming, Reason::kLossAtLnK}));
}

TEST(HealthMonitor, TellsADivergenceAfterAHundredStepsAndItsEnd) {
  WatchedRun run;
  run.train(500);
  run.loss = kLnK;
  const int steps = run.until(Verdict::kDiverging, 1000);
  EXPECT_GT(steps, 100);
  EXPECT_LT(steps, 150);
  EXPECT_EQ(run.figures().health.reason, Reason::kLossRising);
  run.loss = 3.0;
  EXPECT_GT(run.until(Verdict::kHealthy, 100), 0);
}

TEST(HealthMonitor, AHarderStreamIsNoDivergenceForEver) {
  WatchedRun run;
  run.loss = 2.0;
  run.train(2000);
  run.loss = 3.2;
  EXPECT_GT(run.until(Verdict::kDiverging, 1000), 0);
  EXPECT_GT(run.until(Verdict::kHealthy, 4000), 0);
}

TEST(HealthMonitor, TellsAGradientThatExplodes) {
  WatchedRun run;
  run.train(1500);
  run.grad_norm = 1e4;
  const int steps = run.until(Verdict::kDiverging, 100);
  EXPECT_GT(steps, 0);
  EXPECT_LT(steps, 25);
  EXPECT_EQ(run.figures().health.reason, Reason::kGradientExploding);
}

TEST(HealthMonitor, GoesOnFromTheVerdictBefore) {
  WatchedRun first;
  first.loss = 2.0;
  first.train(500);
  WatchedRun second(first.figures());
  EXPECT_EQ(second.figures().health.verdict, Verdict::kHealthy);
  EXPECT_NEAR(second.figures().best_loss, 2.0, 1e-9);
  second.loss = kLnK;
  EXPECT_GT(second.until(Verdict::kDiverging, 1000), 0);
  EXPECT_EQ(second.figures().health.reason, Reason::kLossRising);
}

}  // namespace
}  // namespace swavd::scheduler
