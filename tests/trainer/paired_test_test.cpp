#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "trainer/evaluation.h"

namespace swavd::trainer {
namespace {

struct PairedResults {
  std::vector<std::uint8_t> before;
  std::vector<std::uint8_t> after;
};

PairedResults paired(int gained, int lost, int both, int neither) {
  PairedResults results;
  const auto add = [&](int count, std::uint8_t before, std::uint8_t after) {
    for (int i = 0; i < count; ++i) {
      results.before.push_back(before);
      results.after.push_back(after);
    }
  };
  add(gained, 0, 1);
  add(lost, 1, 0);
  add(both, 1, 1);
  add(neither, 0, 0);
  return results;
}

double p_of(int gained, int lost, int both, int neither) {
  const PairedResults results = paired(gained, lost, both, neither);
  return paired_p(results.before, results.after);
}

TEST(PairedTest, IsTheBinomialTailOfTheDiscordantPairs) {
  EXPECT_NEAR(p_of(9, 1, 30, 60), 11.0 / 1024.0, 1e-12);
  EXPECT_NEAR(p_of(1, 9, 30, 60), 1023.0 / 1024.0, 1e-12);
  EXPECT_NEAR(p_of(5, 0, 0, 0), 1.0 / 32.0, 1e-12);
}

TEST(PairedTest, KnowsNothingWithoutDiscordantPairs) {
  EXPECT_DOUBLE_EQ(p_of(0, 0, 10, 10), 1.0);
}

TEST(PairedTest, OfCountsAsksWhichIsLargerNotByHowMuch) {
  EXPECT_NEAR(paired_p({0, 1, 2, 4}, {5, 2, 4, 4}), 1.0 / 8.0, 1e-12);
  EXPECT_NEAR(paired_p({5, 2, 4, 4}, {0, 1, 2, 4}), 1.0, 1e-12);
}

TEST(PairedTest, StaysAccurateForThousandsOfPairs) {
  // Summed exactly with integers of arbitrary length.
  EXPECT_NEAR(p_of(1100, 900, 0, 0) / 4.228544767751963e-06, 1.0, 1e-9);
}

}  // namespace
}  // namespace swavd::trainer
