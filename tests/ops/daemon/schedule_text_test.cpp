#include "ops/daemon/schedule_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ops/daemon/schedule_json.h"

namespace swavd::daemon {
namespace {

using scheduler::CosineVariant;
using scheduler::ScheduleKind;
using scheduler::ScheduleOptions;
using scheduler::ScheduleState;
using testing::HasSubstr;

ScheduleOptions halving() {
  ScheduleOptions options;
  options.learning_rate = 1.5;
  options.warmup_start = 0.025;
  options.warmup_images = 3840;
  options.patience_images = 200'000;
  options.cooldown_images = 100'001;
  options.floor = 0.01;
  return options;
}

TEST(ScheduleText, SaysEveryNumberOfAHalvingSchedule) {
  EXPECT_EQ(
      schedule_text(halving(), 64),
      "fixed-then-halving: warm-up from 0.025 to 1.5 over 3840 images (60 "
      "steps), then 1.5, halved when the smoothed loss has not fallen by 1 % "
      "in 200000 images (3125 steps); not judged for 100001 images (1563 "
      "steps) after a halving; never below 0.01");
}

TEST(ScheduleText, TellsTheCosinesApart) {
  ScheduleOptions options;
  options.kind = ScheduleKind::kCosine;
  options.learning_rate = 4.8;
  options.total_images = 1'000'000;
  options.end_learning_rate = 0.0048;
  EXPECT_EQ(
      schedule_text(options, 100),
      "cosine: no warm-up, then a cosine from 4.8 to 0.0048 at 1000000 images "
      "(10000 steps), over what follows the warm-up");
  options.cosine = CosineVariant::kFixed;
  EXPECT_THAT(schedule_text(options, 100), HasSubstr("over all images"));
}

TEST(ScheduleText, SaysThatAConstantStays) {
  ScheduleOptions options;
  options.kind = ScheduleKind::kConstant;
  EXPECT_EQ(
      schedule_text(options, 64), "constant: no warm-up, then 0.3 for ever");
}

TEST(ScheduleWarnings, ComeWithARateWithoutWarmUp) {
  EXPECT_TRUE(schedule_warnings(halving(), 64).empty());
  auto options = halving();
  options.warmup_images = 0;
  EXPECT_THAT(
      schedule_warnings(options, 64),
      testing::ElementsAre(HasSubstr("the whole rate of 1.5")));
  options.learning_rate = 0.3;
  EXPECT_TRUE(schedule_warnings(options, 64).empty());
}

TEST(ScheduleWarnings, ComeWithAWarmUpThatIsNone) {
  auto options = halving();
  options.warmup_images = 64;
  EXPECT_THAT(
      schedule_warnings(options, 64),
      testing::ElementsAre(HasSubstr("no more than one step")));
  options = halving();
  options.warmup_start = 1.5;
  EXPECT_THAT(
      schedule_warnings(options, 64),
      testing::ElementsAre(HasSubstr("warmup_start is the whole rate")));
}

TEST(HalvingText, SaysSinceWhenAndFromWhat) {
  EXPECT_EQ(halving_text({}), "");
  EXPECT_EQ(
      halving_text({700'000, 4.8, 690'000, 4.85, 300'000}),
      "halved at 700000 images: since 300000 images the smoothed loss has only "
      "risen, to 4.8500");
  EXPECT_EQ(
      halving_text({700'000, 4.5, 500'000, 4.4875, 0}),
      "halved at 700000 images: the smoothed loss was 4.5000 at 500000 images "
      "and 4.4875 another 200000 later");
}

TEST(ScheduleStatus, ShowsWhereTheRuleStands) {
  ScheduleState state;
  state.images = 10'000;
  state.halvings = 1;
  state.best_loss = 4.5;
  state.best_at = 9'000;
  state.cooldown_until = 12'000;
  state = scheduler::with_rate(halving(), state, 0.5);
  const auto json =
      nlohmann::json::parse(schedule_status_json(halving(), state));
  EXPECT_EQ(json.at("kind"), "fixed-then-halving");
  EXPECT_EQ(json.at("learning_rate"), 0.5);
  EXPECT_EQ(json.at("halvings"), 1);
  EXPECT_EQ(json.at("judged_from_image"), 110'001);
  EXPECT_EQ(json.at("at_floor"), false);
  EXPECT_EQ(json.at("set").at("rate"), 0.5);
  EXPECT_EQ(json.at("set").at("at"), 10'000);
}

TEST(ParseRate, TakesWhatTheConfigurationTakes) {
  EXPECT_EQ(parse_rate("0.3").value(), 0.3);
  EXPECT_EQ(parse_rate("1e-3").value(), 1e-3);
  EXPECT_EQ(parse_rate("1000").value(), 1000);
  for (const char* text :
       {"", "0", "-1", "1001", "nan", "inf", "0.3x", " 0.3", "fast"}) {
    const auto rate = parse_rate(text);
    ASSERT_FALSE(rate.ok()) << text;
    EXPECT_EQ(rate.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(rate.error().message, HasSubstr("no learning rate"));
  }
}

TEST(ScheduleJson, BringsEverythingBack) {
  ScheduleState state;
  state.images = 1;
  state.halvings = 2;
  state.smoothed_loss = 1.0 / 3;
  state.smoothing_weight = 0.1;
  state.best_loss = 0.2;
  state.best_at = 3;
  state.cooldown_until = 4;
  state.has_best = true;
  state.improved_at = 5;
  state.last_halving = {6, 0.3, 7, 0.4, 9};
  state.set_rate = {0.5, 0.6, 8};
  const auto back = schedule_from_json(schedule_to_json(state));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back.value(), state);
}

TEST(ScheduleJson, ReadsWhatOlderVersionsWrote) {
  const auto state = schedule_from_json(
      R"({"images":640,"halvings":1,"smoothed_loss":4.5,)"
      R"("smoothing_weight":0.5,"best_loss":4.25,"best_at":320,)"
      R"("cooldown_until":0,"has_best":true})");
  ASSERT_TRUE(state.ok());
  EXPECT_EQ(state.value().improved_at, 320U);
  EXPECT_EQ(state.value().set_rate.rate, 0.0);
  EXPECT_EQ(state.value().last_halving.at, 0U);
}

}  // namespace
}  // namespace swavd::daemon
