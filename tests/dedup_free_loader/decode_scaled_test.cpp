// JPEG files decoded at a fraction of their size, and the crops cut from that.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/image.h"
#include "tests/dedup_free_loader/golden.h"
#include "tests/dedup_free_loader/tar_files.h"

namespace swavd::loader {
namespace {

ByteVector golden_file(const std::string& name) {
  return testing::read_bytes(testing::golden_folder() / "decode" / name);
}

/// Empty when it cannot be decoded.
Image decoded(Bytes file, const ChooseRegion& choose) {
  auto outcome = decode_image(file, {}, choose);
  auto* const image = std::get_if<Image>(&outcome);
  return image != nullptr ? std::move(*image) : Image();
}

/// The whole picture, at 1/`denominator` if that can be.
Image scaled(Bytes file, std::int32_t denominator) {
  return decoded(file, [=](std::int32_t width, std::int32_t height) {
    return Wanted({.width = width, .height = height}, denominator);
  });
}

TEST(ScaledDown, HoldsEveryPixelOfTheRegion) {
  const Region region = scaled_down({3, 8, 6, 8}, 4);  // [3, 9) and [8, 16)
  EXPECT_EQ(region.x, 0);
  EXPECT_EQ(region.width, 3);
  EXPECT_EQ(region.y, 2);
  EXPECT_EQ(region.height, 2);
}

TEST(ScaledDown, ByOneChangesNothing) {
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  const Region region = scaled_down({3, 0, kMost - 3, kMost}, 1);
  EXPECT_EQ(region.x, 3);
  EXPECT_EQ(region.width, kMost - 3);
  EXPECT_EQ(region.height, kMost);
}

TEST(DecodeScaled, GivesTheSideDividedAndRoundedUp) {
  for (const char* name :
       {"rgb444.jpg",
        "rgb422.jpg",
        "rgb420.jpg",
        "gray.jpg",
        "progressive.jpg"}) {
    const ByteVector file = golden_file(name);  // 37x29 pixels
    for (const std::int32_t denominator : {1, 2, 4, 8}) {
      const Image image = scaled(file, denominator);
      EXPECT_EQ(image.denominator, denominator) << name;
      EXPECT_EQ(image.width, (36 + denominator) / denominator) << name;
      EXPECT_EQ(image.height, (28 + denominator) / denominator) << name;
    }
  }
}

TEST(DecodeScaled, WhatCannotBeScaledIsGivenAtFullSize) {
  for (const char* name :
       {"cmyk.jpg", "ycck.jpg", "rgb8.png", "lossy.webp", "plain.gif"}) {
    const ByteVector file = golden_file(name);
    const Image image = scaled(file, 8);
    EXPECT_EQ(image.denominator, 1) << name;
    EXPECT_EQ(image.rgb, decoded(file, nullptr).rgb) << name;
  }
}

TEST(DecodeScaled, AnUnusualSamplingIsGivenAtFullSize) {
  ByteVector file = golden_file("gray.jpg");
  const ByteVector frame = {0xff, 0xc0, 0x00, 0x0b};  // of one component
  const auto start = std::ranges::search(file, frame);
  ASSERT_FALSE(start.empty());
  std::uint8_t& factors = *(start.begin() + 11);
  ASSERT_EQ(factors, 0x11);
  factors = 0x41;  // which a single component does not heed
  EXPECT_EQ(scaled(file, 2).denominator, 1);
  EXPECT_EQ(scaled(file, 2).rgb, decoded(golden_file("gray.jpg"), nullptr).rgb);
}

TEST(DecodeScaled, AFileWithoutItsEndIsRefusedAsAtFullSize) {
  ByteVector file = golden_file("rgb420.jpg");
  file.resize(file.size() * 3 / 4);
  const auto outcome = decode_image(file, {}, [](std::int32_t, std::int32_t) {
    return Wanted({.width = 16, .height = 16}, 2);
  });
  ASSERT_TRUE(std::holds_alternative<Rejection>(outcome));
  EXPECT_EQ(std::get<Rejection>(outcome).reason, RejectReason::kTruncated);
}

/// How much crops differ, in grey levels of 255.
struct Difference {
  double sum = 0;
  double values = 0;
  double largest = 0;
  double largest_mean = 0;  // of one crop
  int scaled_files = 0;

  [[nodiscard]] double mean() const { return sum / values; }

  void add(const std::vector<float>& one, const std::vector<float>& other) {
    double crop_sum = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      const double levels = std::abs(one[i] - other[i]) * 255.0;
      crop_sum += levels;
      largest = std::max(largest, levels);
    }
    const auto count = static_cast<double>(one.size());
    sum += crop_sum;
    values += count;
    largest_mean = std::max(largest_mean, crop_sum / count);
  }
};

/// A crop's levels as shares, without what is random about its colours.
std::vector<float> crop_of(const Image& image, CropPlan plan) {
  plan.jitter = plan.gray = false;
  plan.blur_sigma = 0;
  AugmentOptions levels;
  levels.mean = {0, 0, 0};
  levels.std = {1, 1, 1};
  const auto side = static_cast<std::size_t>(plan.size);
  std::vector<float> out(side * side * 3);
  CpuRenderer().render(image, plan, levels, out.data());
  return out;
}

/// Of the crops of a file, decoded as `fidelity` allows and at full size.
void compare(
    const testing::TarFile& file,
    std::int64_t number,
    double fidelity,
    Difference& difference) {
  const std::vector<CropSpec> crops = {
      {.count = 2, .size = 96, .scale_min = 0.14, .scale_max = 1},
      {.count = 4, .size = 48, .scale_min = 0.05, .scale_max = 0.14}};
  std::vector<CropPlan> plans;
  const Image small =
      decoded(file.bytes, [&](std::int32_t width, std::int32_t height) {
        plans = draw_crop_plans(
            1,
            {.topic = "images", .partition = 0, .offset = number},
            width,
            height,
            crops,
            {});
        return wanted_by(plans, fidelity);
      });
  ASSERT_GT(small.width, 0) << file.name;
  if (small.denominator == 1) {
    return;
  }
  ++difference.scaled_files;
  const Image whole = decoded(file.bytes, nullptr);
  for (const CropPlan& plan : plans) {
    difference.add(crop_of(small, plan), crop_of(whole, plan));
  }
}

/// What ops/docs/architecture.md says of a fidelity.
struct Bound {
  double fidelity;
  double mean;          // of all crops, grey levels
  double largest_mean;  // of one crop
  double largest;       // of one level
  int scaled_files;     // of the 700, at least
};

class Fidelity : public ::testing::TestWithParam<Bound> {};

TEST_P(Fidelity, BoundsWhatScalingChangesInTheCropsOfPhotographs) {
  const auto path = testing::test_data("photos-700.tar");
  if (path.empty()) {
    GTEST_SKIP() << "set SWAVD_TEST_DATA to a folder with photos-700.tar";
  }
  const Bound& bound = GetParam();
  Difference difference;
  std::int64_t number = 0;
  for (const auto& file : testing::read_tar(path)) {
    compare(file, number++, bound.fidelity, difference);
  }
  RecordProperty("mean", std::to_string(difference.mean()));
  RecordProperty("largest_mean", std::to_string(difference.largest_mean));
  RecordProperty("largest", std::to_string(difference.largest));
  RecordProperty("scaled_files", difference.scaled_files);
  EXPECT_LT(difference.mean(), bound.mean);
  EXPECT_LT(difference.largest_mean, bound.largest_mean);
  EXPECT_LT(difference.largest, bound.largest);
  EXPECT_GE(difference.scaled_files, bound.scaled_files);
}

INSTANTIATE_TEST_SUITE_P(
    Photographs,
    Fidelity,
    ::testing::Values(Bound{1, 1.5, 10, 64, 300}, Bound{2, 0.5, 1.5, 24, 8}));

}  // namespace
}  // namespace swavd::loader
