#include "scheduler/health.h"

#include <gtest/gtest.h>

namespace swavd::scheduler {
namespace {

constexpr Health kYoung = {Verdict::kWarming, Reason::kTooEarly};
constexpr Health kLearning = {Verdict::kHealthy, Reason::kLearning};
constexpr Health kStuck = {Verdict::kWarming, Reason::kLossAtLnK};

HealthInput input(double loss, double perplexity, Health before) {
  HealthInput in;
  in.images = 1'000'000;
  in.loss = loss;
  in.best_loss = loss;
  in.ln_k = 5.704;
  in.use.perplexity = perplexity;
  in.use.images = 3000;
  in.prototypes = 300;
  in.feature_std = 0.08;
  in.feature_dim = 128;
  in.rank = 60;
  in.before = before;
  return in;
}

Health collapsing(Reason reason) {
  return {Verdict::kCollapsing, reason};
}

Health diverging(Reason reason) {
  return {Verdict::kDiverging, reason};
}

TEST(Health, IsHealthyOnceTheLossLeavesLnK) {
  EXPECT_EQ(judge({}, input(4.5, 200, kYoung)), kLearning);
}

TEST(Health, IsWarmingPastItsTimeWithinOnePercentOfLnK) {
  EXPECT_EQ(judge({}, input(5.69, 200, kYoung)), kStuck);
  auto early = input(5.69, 200, kYoung);
  early.images = 1000;
  EXPECT_EQ(judge({}, early), kYoung);
}

TEST(Health, DoesNotCallAnUntrainedRunCollapsingOrDiverging) {
  auto early = input(5.70, 3, kYoung);
  early.images = 1000;
  EXPECT_EQ(judge({}, early), kYoung);
  auto above = input(6.5, 200, kYoung);
  above.images = 10'000;
  above.above_images = 10'000;
  EXPECT_EQ(judge({}, above), kYoung);
}

TEST(Health, TellsWhichWayAHealthyRunCollapses) {
  EXPECT_EQ(
      judge({}, input(4.5, 3, kLearning)), collapsing(Reason::kFewPrototypes));
  auto point = input(4.5, 200, kLearning);
  point.feature_std = 0.001;
  EXPECT_EQ(judge({}, point), collapsing(Reason::kOnePoint));
  auto line = input(4.5, 200, kLearning);
  line.rank = 1.5;
  EXPECT_EQ(judge({}, line), collapsing(Reason::kLowRank));
}

TEST(Health, CallsACollapseOfARunThatNeverLearnt) {
  EXPECT_EQ(
      judge({}, input(5.7, 3, kYoung)), collapsing(Reason::kFewPrototypes));
}

TEST(Health, AnUnknownRankIsNoCollapse) {
  auto unknown = input(4.5, 200, kLearning);
  unknown.rank = 0;
  EXPECT_EQ(judge({}, unknown), kLearning);
}

TEST(Health, AWindowJustBegunChangesNoVerdict) {
  auto restarted = input(4.5, 3, kLearning);
  restarted.use.images = 128;
  EXPECT_EQ(judge({}, restarted), kLearning);
}

TEST(Health, RecoversFromACollapse) {
  EXPECT_EQ(
      judge({}, input(4.5, 150, collapsing(Reason::kOnePoint))), kLearning);
}

TEST(Health, DivergesWhenALossStaysLost) {
  auto rising = input(5.3, 200, kLearning);
  rising.best_loss = 4.5;
  rising.lost_images = 6'399;
  EXPECT_EQ(judge({}, rising), kLearning);
  rising.lost_images = 6'400;
  EXPECT_EQ(judge({}, rising), diverging(Reason::kLossRising));
}

TEST(Health, ALittleThatIsLostAgainIsNoDivergence) {
  auto back = input(5.69, 200, kLearning);
  back.best_loss = 5.6;
  back.lost_images = 6'399;
  EXPECT_EQ(judge({}, back), kLearning);
  back.lost_images = 6'400;
  EXPECT_EQ(judge({}, back), kStuck);
}

TEST(Health, DivergesAboveLnK) {
  auto above = input(6.5, 200, kStuck);
  above.above_images = 6'400;
  EXPECT_EQ(judge({}, above), diverging(Reason::kLossAboveLnK));
}

TEST(Health, DivergesWithTheGradient) {
  auto exploding = input(4.5, 200, kLearning);
  exploding.gradient_ratio = 31;
  EXPECT_EQ(judge({}, exploding), diverging(Reason::kGradientExploding));
}

TEST(Health, HalfOfWhatWasGainedIsALoss) {
  EXPECT_FALSE(loss_is_lost({}, 5.0, 4.5, 5.7));
  EXPECT_TRUE(loss_is_lost({}, 5.2, 4.5, 5.7));
  EXPECT_TRUE(loss_is_lost({}, 5.69, 5.6, 5.7));
  EXPECT_FALSE(loss_is_above({}, 5.75, 5.7));
  EXPECT_TRUE(loss_is_above({}, 5.85, 5.7));
}

TEST(Health, ReadsItsOwnWords) {
  for (const Health& health :
       {kYoung,
        kStuck,
        kLearning,
        collapsing(Reason::kOnePoint),
        collapsing(Reason::kLowRank),
        diverging(Reason::kLossAboveLnK),
        diverging(Reason::kGradientExploding)}) {
    EXPECT_EQ(
        health_from(to_string(health.verdict), to_string(health.reason)),
        health);
  }
}

TEST(Health, ReadsTheWordsOfOldManifests) {
  EXPECT_EQ(health_from("starting", ""), kYoung);
  EXPECT_EQ(health_from("stuck", ""), kStuck);
  EXPECT_EQ(health_from("healthy", ""), kLearning);
  EXPECT_EQ(health_from("collapsing", ""), collapsing(Reason::kFewPrototypes));
}

}  // namespace
}  // namespace swavd::scheduler
