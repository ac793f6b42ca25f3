#include "trainer/model/kept_activations.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

TrunkDesign regnet(RegNetOptions options) {
  return design_trunk(options).value();
}

TrunkDesign seer_256gf() {
  return regnet({27, 640, 230.83, 2.53, 373});
}

std::vector<std::int64_t> sums_of_groups(
    const std::vector<std::int64_t>& kept,
    std::vector<std::size_t> ends) {
  ends.push_back(kept.size());
  std::vector<std::int64_t> sums;
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    sums.push_back(std::accumulate(
        kept.begin() + static_cast<std::ptrdiff_t>(begin),
        kept.begin() + static_cast<std::ptrdiff_t>(end),
        std::int64_t{0}));
    begin = end;
  }
  return sums;
}

TEST(KeptActivations, CountsAStemAndItsFirstTwoBlocksByHand) {
  // Widths 8 and 8 at 16 and 8 pixels behind a stem of 32 channels at 32.
  const TrunkDesign design = regnet({2, 8, 0, 2, 8});
  const auto kept = kept_activations(design, 64);
  ASSERT_EQ(kept.size(), 2U);
  const std::int64_t stem = 2 * 32 * 32 * 32;
  EXPECT_EQ(kept[0], stem + 8 * (2 * 32 * 32 + 6 * 16 * 16));
  EXPECT_EQ(kept[1], 8 * 7 * 16 * 16);
}

TEST(KeptActivations, CountsAResNetsPooledStemAndFirstBlockByHand) {
  ResNetOptions options;
  options.depths = {1, 1, 1, 1};
  const auto kept =
      kept_activations(design_trunk(TrunkOptions(options)).value(), 64);
  ASSERT_EQ(kept.size(), 4U);
  const std::int64_t stem = 2 * 64 * 32 * 32 + 64 * 16 * 16;
  // 1x1 and 3x3 of 64 channels, 1x1 and shortcut to 256.
  EXPECT_EQ(kept[0], stem + (2 * (64 + 64 + 256) + 256) * 16 * 16);
}

TEST(KeptActivations, GrowWithTheAreaOfTheImage) {
  const TrunkDesign design = seer_256gf();
  const auto total = [&](std::int64_t size) {
    const auto kept = kept_activations(design, size);
    return static_cast<double>(
        std::accumulate(kept.begin(), kept.end(), std::int64_t{0}));
  };
  EXPECT_EQ(kept_activations(design, 224).size(), 27U);
  EXPECT_NEAR(total(384) / total(192), 4.0, 1e-9);
}

TEST(CheckpointEnds, NoGroupsOrOneRecomputeNothing) {
  EXPECT_TRUE(checkpoint_ends(seer_256gf(), 0).empty());
  EXPECT_TRUE(checkpoint_ends(seer_256gf(), 1).empty());
}

TEST(CheckpointEnds, NoOtherCutHasASmallerGreatestGroup) {
  const TrunkDesign design = regnet({5, 24, 36.44, 2.49, 8});
  const auto kept = kept_activations(design, 224);
  ASSERT_EQ(kept.size(), 5U);
  const auto greatest = [&](const std::vector<std::size_t>& ends) {
    const auto sums = sums_of_groups(kept, ends);
    return *std::max_element(sums.begin(), sums.end());
  };
  std::int64_t best = greatest({});
  for (std::size_t first = 1; first < 5; ++first) {
    for (std::size_t second = first + 1; second < 5; ++second) {
      best = std::min(best, greatest({first, second}));
    }
  }
  EXPECT_EQ(greatest(checkpoint_ends(design, 3)), best);
}

TEST(CheckpointEnds, MoreGroupsNeverKeepMoreAtOnce) {
  const TrunkDesign design = seer_256gf();
  const auto kept = kept_activations(design, 224);
  std::int64_t before =
      std::accumulate(kept.begin(), kept.end(), std::int64_t{0});
  for (std::int32_t groups = 2; groups <= 27; ++groups) {
    const auto ends = checkpoint_ends(design, groups);
    EXPECT_LT(ends.size(), static_cast<std::size_t>(groups));
    EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end()));
    const auto sums = sums_of_groups(kept, ends);
    const std::int64_t greatest = *std::max_element(sums.begin(), sums.end());
    EXPECT_LE(greatest, before);
    before = greatest;
  }
  EXPECT_EQ(before, *std::max_element(kept.begin(), kept.end()));
}

}  // namespace
}  // namespace swavd::trainer
