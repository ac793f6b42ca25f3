#include "ops/base/philox.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

namespace swavd {
namespace {

using Words = std::array<std::uint32_t, 4>;

// Known answers of Random123 (kat_vectors, philox4x32 with 10 rounds).
TEST(Philox, MatchesTheKnownAnswers) {
  EXPECT_EQ(
      philox({0, 0, 0, 0}, {0, 0}),
      (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(
      philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
      (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(
      philox(
          {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
          {0xa4093822, 0x299f31d0}),
      (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, ContinuesFromAnyPosition) {
  Random whole(7, 9);
  std::vector<std::uint32_t> words;
  for (int i = 0; i < 23; ++i) {
    words.push_back(whole.next_u32());
  }
  for (std::uint64_t at = 0; at < words.size(); ++at) {
    Random later(7, 9, at);
    EXPECT_EQ(later.next_u32(), words[at]) << at;
    EXPECT_EQ(later.position(), at + 1);
  }
}

TEST(Random, AddressesAndNamesGiveDifferentStreams) {
  Random a(1, 0);
  Random b(1, 1);
  EXPECT_NE(a.next_u32(), b.next_u32());
  EXPECT_NE(stream_key(0, "init"), stream_key(0, "augment"));
  EXPECT_NE(stream_key(0, "init"), stream_key(1, "init"));
}

TEST(Random, UniformHasTheRightMeanAndStaysInside) {
  Random random(3);
  double sum = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.uniform();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * 0.2887 / std::sqrt(kDraws));
}

TEST(Random, BelowIsUniformOverItsRange) {
  Random random(4);
  std::array<int, 7> counts{};
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) {
    ++counts.at(random.below(7));
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, kDraws / 7, 500);
  }
}

TEST(Random, NormalHasUnitVariance) {
  Random random(5);
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.04);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.06);
}

}  // namespace
}  // namespace swavd
