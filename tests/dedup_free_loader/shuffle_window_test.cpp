#include "dedup_free_loader/reading/shuffle_window.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/philox.h"

namespace swavd::loader {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAreArray;
using TimePoint = PartitionWindow::TimePoint;

constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 40U;

ingest::Record record_at(std::int64_t offset, std::size_t bytes = 10) {
  ingest::Record record;
  record.address = {"t", 0, offset};
  record.payload.resize(bytes);
  return record;
}

/// Bytes of the record at `offset`: they differ a lot, as on the web.
std::size_t size_at(std::int64_t offset) {
  return 1 + Random(7, static_cast<std::uint64_t>(offset)).below(100);
}

WindowOptions blocks_of(std::int64_t records, std::uint64_t bytes = kNoLimit) {
  WindowOptions options;
  options.seed = 3;
  options.records = records;
  options.bytes = bytes;
  return options;
}

/// The order in which `offsets` come out when each is taken in as soon as the
/// window has nothing settled to give.
std::vector<std::int64_t> order_of(
    const std::vector<std::int64_t>& offsets,
    const WindowOptions& options) {
  PartitionWindow window(0, options);
  std::vector<std::int64_t> order;
  for (const std::int64_t offset : offsets) {
    window.add(record_at(offset, size_at(offset)), {});
    while (window.settled()) {
      order.push_back(window.draw({}).record.address.offset);
    }
  }
  window.end();
  while (!window.empty()) {
    order.push_back(window.draw({}).record.address.offset);
  }
  return order;
}

std::vector<std::int64_t> up_to(std::int64_t end) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(end));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

TEST(ShuffleWindow, BlocksOfOneKeepTheOrder) {
  EXPECT_EQ(order_of(up_to(20), blocks_of(1)), up_to(20));
}

TEST(ShuffleWindow, ABlockComesOutWholeAndMixedBeforeTheNext) {
  const auto order = order_of(up_to(96), blocks_of(32));
  for (std::size_t block = 0; block < 3; ++block) {
    const std::vector<std::int64_t> part(
        order.begin() + static_cast<std::ptrdiff_t>(32 * block),
        order.begin() + static_cast<std::ptrdiff_t>(32 * (block + 1)));
    std::vector<std::int64_t> expected(32);
    std::iota(expected.begin(), expected.end(), 32 * block);
    EXPECT_THAT(part, UnorderedElementsAreArray(expected));
    EXPECT_NE(part, expected);
  }
}

TEST(ShuffleWindow, BlocksBeginAtMultiplesWhereverTheRunBegan) {
  const std::vector<std::int64_t> offsets = {30, 31, 32, 33, 34, 35};
  const auto order = order_of(offsets, blocks_of(32));
  EXPECT_THAT(
      std::vector<std::int64_t>(order.begin(), order.begin() + 2),
      testing::UnorderedElementsAre(30, 31));
}

TEST(ShuffleWindow, EveryPlaceOfABlockIsAsLikelyForEachRecord) {
  constexpr std::int64_t kBlock = 4;
  constexpr int kBlocks = 6000;
  const auto order = order_of(up_to(kBlock * kBlocks), blocks_of(kBlock));
  std::map<std::vector<std::int64_t>, int> counts;
  for (int block = 0; block < kBlocks; ++block) {
    std::vector<std::int64_t> permutation;
    for (std::int64_t i = 0; i < kBlock; ++i) {
      permutation.push_back(
          order[static_cast<std::size_t>(block * kBlock + i)] % kBlock);
    }
    ++counts[permutation];
  }
  // Chi-squared with 23 degrees of freedom: above 49.7 once in a thousand.
  constexpr double kExpected = kBlocks / 24.0;
  double chi = 0;
  for (const auto& [permutation, count] : counts) {
    chi += (count - kExpected) * (count - kExpected) / kExpected;
  }
  EXPECT_EQ(counts.size(), 24U);
  EXPECT_LT(chi, 49.7);
}

TEST(ShuffleWindow, TheOrderDependsOnTheSeedAndThePartition) {
  const auto options = blocks_of(64);
  auto other = options;
  other.seed = 4;
  EXPECT_NE(order_of(up_to(64), options), order_of(up_to(64), other));
  PartitionWindow second(1, options);
  std::vector<std::int64_t> order;
  for (const std::int64_t offset : up_to(64)) {
    second.add(record_at(offset), {});
  }
  while (!second.empty()) {
    order.push_back(second.draw({}).record.address.offset);
  }
  EXPECT_NE(order_of(up_to(64), options), order);
}

/// Whatever was given, the rest comes in the order it would have come in: what
/// a restart from a position relies on.
TEST(ShuffleWindow, GoesOnInTheSameOrderFromAnyPosition) {
  for (const std::uint64_t bytes : {kNoLimit, std::uint64_t{400}}) {
    const auto options = blocks_of(32, bytes);
    const auto offsets = up_to(100);
    const auto whole = order_of(offsets, options);
    for (std::size_t given = 0; given <= whole.size(); ++given) {
      const std::set<std::int64_t> done(
          whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(given));
      std::vector<std::int64_t> rest;
      std::ranges::copy_if(
          offsets, std::back_inserter(rest), [&](std::int64_t offset) {
            return !done.contains(offset);
          });
      const std::vector<std::int64_t> expected(
          whole.begin() + static_cast<std::ptrdiff_t>(given), whole.end());
      ASSERT_EQ(order_of(rest, options), expected) << given << " given";
    }
  }
}

TEST(ShuffleWindow, HoldsNoMoreThanItsBytesAndOneRecord) {
  constexpr std::uint64_t kBytes = 400;
  PartitionWindow window(0, blocks_of(1024, kBytes));
  std::size_t mixed = 0;
  std::int64_t last = -1;
  for (const std::int64_t offset : up_to(1000)) {
    window.add(record_at(offset, size_at(offset)), {});
    EXPECT_LE(window.bytes(), kBytes + 100);
    while (window.full()) {
      ASSERT_TRUE(window.settled());
      const auto given = window.draw({}).record.address.offset;
      mixed += given < last ? 1 : 0;
      last = given;
    }
  }
  EXPECT_GT(mixed, 200U);  // of a thousand, eight at a time to draw from
}

TEST(ShuffleWindow, ARecordLargerThanTheBytesPasses) {
  PartitionWindow window(0, blocks_of(8, 50));
  window.add(record_at(0, 500), {});
  EXPECT_FALSE(window.settled());
  window.add(record_at(1, 10), {});
  ASSERT_TRUE(window.settled());
  EXPECT_EQ(window.draw({}).record.address.offset, 0);
}

TEST(ShuffleWindow, ABlockIsSettledByItsLastOffsetOrBySomethingBehindIt) {
  PartitionWindow window(0, blocks_of(4));
  window.add(record_at(0), {});
  window.add(record_at(2), {});
  EXPECT_FALSE(window.settled());
  window.add(record_at(5), {});  // 3 does not exist
  EXPECT_TRUE(window.settled());
  (void)window.draw({});
  (void)window.draw({});
  EXPECT_FALSE(window.settled());
  window.add(record_at(7), {});
  EXPECT_TRUE(window.settled());
}

TEST(ShuffleWindow, ARecordTellsOfTheHoleBelowIt) {
  PartitionWindow window(2, blocks_of(8));
  window.add(record_at(3), {});
  window.add(record_at(4), {});
  window.add(record_at(7), {});
  std::map<std::int64_t, std::optional<PartitionRange>> absent;
  while (!window.empty()) {
    const Drawn drawn = window.draw({});
    absent[drawn.record.address.offset] = drawn.absent;
  }
  EXPECT_EQ(absent[3], (PartitionRange{2, 0, 2}));
  EXPECT_EQ(absent[4], std::nullopt);
  EXPECT_EQ(absent[7], (PartitionRange{2, 5, 6}));
}

TEST(ShuffleWindow, AGapComesAfterAllThatLiesBelowItAndBeforeTheRest) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto options = blocks_of(32);
    options.seed = seed;
    PartitionWindow window(0, options);
    for (const std::int64_t offset : {0, 1, 2, 3}) {
      window.add(record_at(offset), {});
    }
    window.add_gap({0, 4, 9});
    window.add_gap({0, 10, 12});
    EXPECT_TRUE(window.settled());
    for (const std::int64_t offset : {13, 14, 15}) {
      window.add(record_at(offset), {});
    }
    window.end();
    for (int i = 0; i < 4; ++i) {
      const Drawn drawn = window.draw({});
      EXPECT_LT(drawn.record.address.offset, 4);
      EXPECT_TRUE(drawn.gaps.empty());
    }
    const Drawn first = window.draw({});
    EXPECT_GT(first.record.address.offset, 12);
    EXPECT_THAT(
        first.gaps,
        ElementsAre(PartitionRange{0, 4, 9}, PartitionRange{0, 10, 12}));
    EXPECT_TRUE(window.draw({}).gaps.empty());
  }
}

TEST(ShuffleWindow, WaitsSinceItsRecordsStoodFirstInLine) {
  using std::chrono::seconds;
  const TimePoint start{};
  PartitionWindow window(0, blocks_of(2));
  EXPECT_EQ(window.waiting_since(), std::nullopt);
  window.add(record_at(0), start + seconds(1));
  EXPECT_EQ(window.waiting_since(), start + seconds(1));
  window.add(record_at(1), start + seconds(2));
  EXPECT_EQ(window.waiting_since(), std::nullopt);  // settled
  window.add(record_at(2), start + seconds(3));
  (void)window.draw(start + seconds(4));
  (void)window.draw(start + seconds(5));
  EXPECT_EQ(window.waiting_since(), start + seconds(5));
}

}  // namespace
}  // namespace swavd::loader
