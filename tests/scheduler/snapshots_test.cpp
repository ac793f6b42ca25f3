#include "scheduler/snapshots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/philox.h"

namespace swavd::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SnapshotCadence, IsDueByStepsOrByTimeWhicheverComesFirst) {
  const CadenceOptions options{.every_steps = 100, .every_ms = 60'000};
  const CadenceState last{.step = 50, .at_ms = 1000};
  EXPECT_FALSE(snapshot_due(options, last, 149, 60'999));
  EXPECT_TRUE(snapshot_due(options, last, 150, 1001));
  EXPECT_TRUE(snapshot_due(options, last, 51, 61'000));
}

TEST(SnapshotCadence, NeverTwiceAtOneStep) {
  const CadenceOptions options{.every_steps = 1, .every_ms = 1};
  EXPECT_FALSE(snapshot_due(options, {.step = 7, .at_ms = 0}, 7, 1'000'000));
}

std::vector<Retained> commits(std::uint64_t count) {
  std::vector<Retained> all;
  for (std::uint64_t i = 1; i <= count; ++i) {
    all.push_back({std::to_string(i), i});
  }
  return all;
}

TEST(Retention, KeepsTheNewest) {
  EXPECT_THAT(to_drop({.keep_last = 2}, commits(4), {}), ElementsAre("2", "1"));
}

TEST(Retention, KeepsMilestonesAndProtected) {
  EXPECT_THAT(
      to_drop({.keep_last = 1, .keep_every = 3}, commits(7), {"2"}),
      ElementsAre("5", "4", "1"));
}

TEST(Retention, NeverDropsTheNewestWhateverTheOptions) {
  EXPECT_THAT(to_drop({.keep_last = 0}, commits(1), {}), IsEmpty());
}

TEST(Retention, HoldsItsPromisesForRandomHistories) {
  Random random(42);
  for (int trial = 0; trial < 500; ++trial) {
    const RetentionOptions options{
        .keep_last = 1 + random.below(5), .keep_every = random.below(4)};
    const auto all = commits(1 + random.below(30));
    std::set<std::string> protect;
    for (const Retained& one : all) {
      if (random.below(5) == 0) {
        protect.insert(one.id);
      }
    }
    const auto drop = to_drop(options, all, protect);
    const std::set<std::string> dropped(drop.begin(), drop.end());
    EXPECT_EQ(dropped.size(), drop.size());
    for (const Retained& one : all) {
      const bool newest =
          one.commit + static_cast<std::uint64_t>(options.keep_last) >
          all.size();
      const bool milestone =
          options.keep_every > 0 &&
          one.commit % static_cast<std::uint64_t>(options.keep_every) == 0;
      const bool keep = newest || milestone || protect.contains(one.id);
      EXPECT_EQ(dropped.contains(one.id), !keep) << one.id;
    }
  }
}

}  // namespace
}  // namespace swavd::scheduler
