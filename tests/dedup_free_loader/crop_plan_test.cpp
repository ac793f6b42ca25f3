#include "dedup_free_loader/crop_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <set>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::loader {
namespace {

const std::vector<CropSpec> kSwav = {
    {.count = 2, .size = 224, .scale_min = 0.14, .scale_max = 1.0},
    {.count = 6, .size = 96, .scale_min = 0.05, .scale_max = 0.14}};

ingest::Address address_of(std::int64_t offset) {
  return {.topic = "images", .partition = 3, .offset = offset};
}

std::vector<CropPlan> plans_of(std::int64_t offset) {
  return draw_crop_plans(7, address_of(offset), 500, 375, kSwav, {});
}

/// All of a plan's values, to compare and to order.
auto values(const CropPlan& plan) {
  return std::tuple(
      plan.size,
      plan.x,
      plan.y,
      plan.width,
      plan.height,
      plan.flip,
      plan.jitter,
      plan.jitter_order,
      plan.brightness,
      plan.contrast,
      plan.saturation,
      plan.hue,
      plan.gray,
      plan.blur_sigma);
}

/// Plans of many images, group by group: 2 x 224 first.
std::vector<CropPlan> many_plans(std::int64_t images) {
  std::vector<CropPlan> all;
  for (std::int64_t offset = 0; offset < images; ++offset) {
    const auto plans = plans_of(offset);
    all.insert(all.end(), plans.begin(), plans.end());
  }
  return all;
}

CropPlan cut(std::int32_t width, std::int32_t height, std::int32_t size) {
  CropPlan plan;
  plan.size = size;
  plan.width = width;
  plan.height = height;
  return plan;
}

template <typename Predicate>
double share(std::span<const CropPlan> plans, const Predicate& predicate) {
  return static_cast<double>(
             std::count_if(plans.begin(), plans.end(), predicate)) /
         static_cast<double>(plans.size());
}

TEST(DrawCropPlans, GivesEveryCropInTheOrderOfTheSpecs) {
  const auto plans = plans_of(0);
  ASSERT_EQ(plans.size(), 8U);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    EXPECT_EQ(plans[i].size, i < 2 ? 224 : 96);
  }
}

TEST(DrawCropPlans, DependsOnSeedTopicPartitionAndOffsetAlone) {
  const auto draw = [](std::uint64_t seed, const ingest::Address& address) {
    return values(draw_crop_plans(seed, address, 500, 375, kSwav, {}).front());
  };
  const ingest::Address here = address_of(41);
  EXPECT_EQ(draw(7, here), draw(7, here));
  std::set<decltype(draw(7, here))> distinct = {
      draw(7, here),
      draw(8, here),
      draw(7, {.topic = "other", .partition = 3, .offset = 41}),
      draw(7, {.topic = "images", .partition = 4, .offset = 41}),
      draw(7, {.topic = "images", .partition = 3, .offset = 42})};
  EXPECT_EQ(distinct.size(), 5U);
}

TEST(DrawCropPlans, ACropDoesNotDependOnTheCropsAfterIt) {
  const std::vector<CropSpec> shorter = {kSwav[0]};
  const auto two = draw_crop_plans(7, address_of(5), 500, 375, shorter, {});
  const auto eight = plans_of(5);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(values(two[0]), values(eight[0]));
  EXPECT_EQ(values(two[1]), values(eight[1]));
}

TEST(DrawCropPlans, NoTwoCropsShareTheirDraws) {
  std::set<float> brightness;
  for (const CropPlan& plan : many_plans(200)) {
    brightness.insert(plan.brightness);
  }
  // 1600 draws of a float out of some 10^7: a few may meet by chance.
  EXPECT_GT(brightness.size(), 1595U);
}

TEST(DrawCropPlans, AnOptionDoesNotMoveTheDrawsOfAnother) {
  AugmentOptions no_jitter;
  no_jitter.jitter_probability = 0;
  no_jitter.blur_probability = 0;
  const auto with = plans_of(9);
  const auto without =
      draw_crop_plans(7, address_of(9), 500, 375, kSwav, no_jitter);
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_FALSE(without[i].jitter);
    EXPECT_EQ(without[i].blur_sigma, 0.0F);
    EXPECT_EQ(without[i].x, with[i].x);
    EXPECT_EQ(without[i].width, with[i].width);
    EXPECT_EQ(without[i].flip, with[i].flip);
    EXPECT_EQ(without[i].gray, with[i].gray);
  }
}

TEST(DrawCropPlans, BoxesLieInsideAndKeepScaleAndAspect) {
  for (const CropPlan& plan : many_plans(500)) {
    ASSERT_GE(plan.x, 0);
    ASSERT_GE(plan.y, 0);
    ASSERT_GT(plan.width, 0);
    ASSERT_GT(plan.height, 0);
    ASSERT_LE(plan.x + plan.width, 500);
    ASSERT_LE(plan.y + plan.height, 375);
    const double area = double{1} * plan.width * plan.height / (500 * 375);
    const double aspect = static_cast<double>(plan.width) / plan.height;
    // Sides are rounded to whole pixels.
    ASSERT_GT(area, (plan.size == 224 ? 0.14 : 0.05) * 0.98);
    ASSERT_LT(area, (plan.size == 224 ? 1.0 : 0.14) * 1.02);
    ASSERT_GT(aspect, 0.75 * 0.98);
    ASSERT_LT(aspect, 4.0 / 3.0 * 1.02);
  }
}

TEST(DrawCropPlans, BoxesReachEveryEdge) {
  const auto plans = many_plans(400);
  EXPECT_GT(share(plans, [](const CropPlan& p) { return p.x == 0; }), 0.0);
  EXPECT_GT(share(plans, [](const CropPlan& p) { return p.y == 0; }), 0.0);
  const auto right = [](const CropPlan& p) { return p.x + p.width == 500; };
  const auto bottom = [](const CropPlan& p) { return p.y + p.height == 375; };
  EXPECT_GT(share(plans, right), 0.0);
  EXPECT_GT(share(plans, bottom), 0.0);
}

TEST(DrawCropPlans, EventsHaveTheirProbabilities) {
  const auto plans = many_plans(2500);  // 20,000 crops
  const auto rate = [&](bool CropPlan::*event) {
    return share(plans, [=](const CropPlan& plan) { return plan.*event; });
  };
  // Five standard deviations of a share of 20,000 are below 0.018.
  EXPECT_NEAR(rate(&CropPlan::flip), 0.5, 0.018);
  EXPECT_NEAR(rate(&CropPlan::jitter), 0.8, 0.018);
  EXPECT_NEAR(rate(&CropPlan::gray), 0.2, 0.018);
  const auto blurred = [](const CropPlan& p) { return p.blur_sigma > 0; };
  EXPECT_NEAR(share(plans, blurred), 0.5, 0.018);
  std::map<std::array<JitterOp, 4>, int> orders;
  for (const CropPlan& plan : plans) {
    ++orders[plan.jitter_order];
  }
  ASSERT_EQ(orders.size(), 24U);
  for (const auto& [order, count] : orders) {
    EXPECT_NEAR(count, 20000 / 24.0, 150);
  }
}

TEST(DrawCropPlans, FactorsFillTheirRanges) {
  struct Range {
    float CropPlan::*value;
    float low;
    float high;
  };

  const auto plans = many_plans(2500);
  for (const Range& range : std::array<Range, 4>{
           {{&CropPlan::brightness, 0.2F, 1.8F},
            {&CropPlan::contrast, 0.2F, 1.8F},
            {&CropPlan::saturation, 0.2F, 1.8F},
            {&CropPlan::hue, -0.2F, 0.2F}}}) {
    const auto less = [&](const CropPlan& a, const CropPlan& b) {
      return a.*range.value < b.*range.value;
    };
    const auto [low, high] =
        std::minmax_element(plans.begin(), plans.end(), less);
    const float slack = (range.high - range.low) * 0.005F;
    EXPECT_GE((*low).*range.value, range.low);
    EXPECT_LE((*low).*range.value, range.low + slack);
    EXPECT_LE((*high).*range.value, range.high);
    EXPECT_GE((*high).*range.value, range.high - slack);
  }
  for (const CropPlan& plan : plans) {
    if (plan.blur_sigma > 0) {
      EXPECT_GE(plan.blur_sigma, 0.1F);
      EXPECT_LE(plan.blur_sigma, 2.0F);
    }
  }
}

TEST(DrawCropPlans, StrengthScalesTheJitter) {
  AugmentOptions half;
  half.jitter_strength = 0.5;
  AugmentOptions twice;
  twice.jitter_strength = 2.0;
  for (std::int64_t offset = 0; offset < 100; ++offset) {
    for (const auto& plan :
         draw_crop_plans(1, address_of(offset), 64, 64, kSwav, half)) {
      EXPECT_NEAR(plan.brightness, 1.0F, 0.4F);
      EXPECT_NEAR(plan.hue, 0.0F, 0.1F);
    }
    for (const auto& plan :
         draw_crop_plans(1, address_of(offset), 64, 64, kSwav, twice)) {
      EXPECT_GE(plan.contrast, 0.0F);
      EXPECT_LE(plan.contrast, 2.6F);
      EXPECT_NEAR(plan.hue, 0.0F, 0.4F);
    }
  }
}

// The mean of the log aspect is 0 and its variance that of a uniform draw.
TEST(DrawCropPlans, AspectsAreLogUniform) {
  const std::vector<CropSpec> small = {
      {.count = 1, .size = 96, .scale_min = 0.05, .scale_max = 0.14}};
  double sum = 0;
  double squares = 0;
  constexpr int kImages = 4000;
  for (int offset = 0; offset < kImages; ++offset) {
    const auto plan =
        draw_crop_plans(3, address_of(offset), 2000, 2000, small, {}).front();
    const double aspect =
        std::log(static_cast<double>(plan.width) / plan.height);
    sum += aspect;
    squares += aspect * aspect;
  }
  const double half_width = std::log(4.0 / 3.0);
  EXPECT_NEAR(sum / kImages, 0.0, 0.015);
  EXPECT_NEAR(squares / kImages, half_width * half_width / 3, 0.002);
}

struct Fallback {
  std::int32_t width, height;
  std::int32_t box_width, box_height;
};

class ExtremeShape : public ::testing::TestWithParam<Fallback> {};

// No aspect within bounds covers 14 % of such a picture.
TEST_P(ExtremeShape, GivesTheCentreCrop) {
  const Fallback& shape = GetParam();
  const std::vector<CropSpec> whole = {
      {.count = 3, .size = 32, .scale_min = 0.9, .scale_max = 1.0}};
  for (const auto& plan : draw_crop_plans(
           1, address_of(1), shape.width, shape.height, whole, {})) {
    EXPECT_EQ(plan.width, shape.box_width);
    EXPECT_EQ(plan.height, shape.box_height);
    EXPECT_EQ(plan.x, (shape.width - shape.box_width) / 2);
    EXPECT_EQ(plan.y, (shape.height - shape.box_height) / 2);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    ExtremeShape,
    ::testing::Values(
        Fallback{1000, 30, 40, 30},  // 30 * 4/3
        Fallback{30, 1000, 30, 40},  // 30 / (3/4)
        Fallback{10000, 1, 1, 1},
        Fallback{1, 10000, 1, 1}));

TEST(DrawCropPlans, TheSmallestPictureHasOneBox) {
  for (const auto& plan : draw_crop_plans(1, address_of(1), 1, 1, kSwav, {})) {
    EXPECT_EQ(plan.width, 1);
    EXPECT_EQ(plan.height, 1);
    EXPECT_EQ(plan.x, 0);
    EXPECT_EQ(plan.y, 0);
  }
}

// Pins the draws: a change of any of them changes every run in progress.
TEST(DrawCropPlans, StayWhatTheyWere) {
  const CropPlan plan = plans_of(123456789012).at(7);
  EXPECT_EQ(plan.x, 192);
  EXPECT_EQ(plan.y, 234);
  EXPECT_EQ(plan.width, 141);
  EXPECT_EQ(plan.height, 140);
  EXPECT_TRUE(plan.flip);
  EXPECT_TRUE(plan.jitter);
  EXPECT_TRUE(plan.gray);
  EXPECT_EQ(plan.brightness, 1.35528064F);
  EXPECT_EQ(plan.contrast, 1.56217623F);
  EXPECT_EQ(plan.saturation, 0.49220565F);
  EXPECT_EQ(plan.hue, 0.056574475F);
  EXPECT_EQ(plan.blur_sigma, 0.0F);
  const std::array<JitterOp, 4> order = {
      JitterOp::kContrast,
      JitterOp::kHue,
      JitterOp::kBrightness,
      JitterOp::kSaturation};
  EXPECT_EQ(plan.jitter_order, order);
}

TEST(WantedBy, TheCropThatShrinksLeastDecidesTheScale) {
  const CropPlan large = cut(1792, 1800, 224);  // eight times its size
  const CropPlan half = cut(192, 700, 96);      // twice
  EXPECT_EQ(wanted_by(std::array{large}, 1).denominator, 8);
  EXPECT_EQ(wanted_by(std::array{large}, 1.01).denominator, 4);
  EXPECT_EQ(wanted_by(std::array{large, half}, 1).denominator, 2);
  EXPECT_EQ(wanted_by(std::array{half, large}, 2).denominator, 1);
  EXPECT_EQ(wanted_by(std::array{cut(191, 700, 96)}, 1).denominator, 1);
  EXPECT_EQ(wanted_by(std::array{cut(700, 191, 96)}, 1).denominator, 1);
}

TEST(WantedBy, NoFidelityIsNoScaling) {
  EXPECT_EQ(wanted_by(std::array{cut(5000, 5000, 8)}, 0).denominator, 1);
}

TEST(WantedBy, TheRegionHoldsAllCrops) {
  CropPlan first = cut(30, 20, 8);
  CropPlan second = cut(10, 50, 8);
  first.x = 7;
  second.y = 3;
  const Region region = wanted_by(std::array{first, second}, 1).region;
  EXPECT_EQ(region.x, 0);
  EXPECT_EQ(region.y, 0);
  EXPECT_EQ(region.width, 37);
  EXPECT_EQ(region.height, 53);
}

}  // namespace
}  // namespace swavd::loader
