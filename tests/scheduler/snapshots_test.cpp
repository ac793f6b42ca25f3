#include "scheduler/snapshots.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

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

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
/// A Monday, 2025-11-24T00:00:00Z.
constexpr std::int64_t kMonday = 1'763'942'400'000;

Retained one(std::uint64_t commit, std::int64_t created_ms = kMonday) {
  return {
      .id = std::to_string(commit),
      .generation = 1,
      .commit = commit,
      .created_ms = created_ms,
      .readable = true,
      .healthy = true};
}

std::vector<Retained> commits(std::uint64_t count) {
  std::vector<Retained> all;
  for (std::uint64_t i = 1; i <= count; ++i) {
    all.push_back(one(i));
  }
  return all;
}

TEST(Retention, KeepsTheNewest) {
  EXPECT_THAT(to_drop({.keep_last = 2}, commits(4), {}), ElementsAre("1", "2"));
}

TEST(Retention, KeepsMilestonesAndProtected) {
  EXPECT_THAT(
      to_drop({.keep_last = 1, .keep_every = 3}, commits(7), {"2"}),
      ElementsAre("1", "4", "5"));
}

TEST(Retention, NeverDropsTheNewestWhateverTheOptions) {
  EXPECT_THAT(to_drop({.keep_last = 0}, commits(1), {}), IsEmpty());
}

TEST(Retention, KeepsWhatLatestNames) {
  auto all = commits(6);
  all[5].readable = all[5].healthy = false;
  for (std::size_t i = 2; i < 5; ++i) {
    all[i].healthy = false;
  }
  EXPECT_THAT(to_drop({.keep_last = 1}, all, {}), ElementsAre("1", "3", "4"));
}

TEST(Retention, NewerGenerationIsNewerWhateverItsCommits) {
  auto all = commits(3);
  all[0].generation = 2;
  EXPECT_THAT(to_drop({.keep_last = 1}, all, {}), ElementsAre("2", "3"));
}

TEST(Retention, LadderKeepsTheLastOfEachHourDayAndWeek) {
  const std::vector<Retained> all{
      one(1, kMonday - 8 * kDay),   // Sunday, two weeks back
      one(2, kMonday - 2 * kDay),   // Saturday
      one(3, kMonday - 1),          // Sunday's last millisecond
      one(4, kMonday),              // Monday's first
      one(5, kMonday + kHour - 1),  // the end of its first hour
      one(6, kMonday + 3 * kHour),  // an empty hour between
      one(7, kMonday + 3 * kHour + 1),
  };
  EXPECT_THAT(
      to_drop({.keep_last = 1, .keep_hourly = 2}, all, {}),
      ElementsAre("1", "2", "3", "4", "6"));
  EXPECT_THAT(
      to_drop({.keep_last = 1, .keep_daily = 3}, all, {}),
      ElementsAre("1", "4", "5", "6"));
  EXPECT_THAT(
      to_drop({.keep_last = 1, .keep_weekly = 3}, all, {}),
      ElementsAre("2", "4", "5", "6"));
}

/// A history as a run makes it: times grow but for a clock that is set back
/// now and then, owners change, some are unhealthy or rotten.
std::vector<Retained> random_history(Random& random) {
  std::vector<Retained> all;
  std::int64_t now = kMonday + random.below(1000) * kHour;
  std::uint64_t generation = 1;
  const std::uint64_t count = 1 + random.below(60);
  for (std::uint64_t commit = 1; commit <= count; ++commit) {
    now += random.below(3) == 0 ? random.below(20) * kHour
                                : random.below(50) * kMinute;
    now -= random.below(20) == 0 ? kDay : 0;
    generation += random.below(10) == 0 ? 1 : 0;
    Retained next = one(commit, now);
    next.generation = generation;
    next.readable = random.below(12) != 0;
    next.healthy = next.readable && random.below(3) != 0;
    all.push_back(next);
  }
  return all;
}

RetentionOptions random_options(Random& random) {
  return {
      .keep_last = 1 + random.below(5),
      .keep_every = random.below(8),
      .keep_hourly = random.below(6),
      .keep_daily = random.below(6),
      .keep_weekly = random.below(4)};
}

std::set<std::string> random_pins(
    const std::vector<Retained>& all,
    Random& random) {
  std::set<std::string> pins;
  for (const Retained& each : all) {
    if (random.below(8) == 0) {
      pins.insert(each.id);
    }
  }
  return pins;
}

/// The rungs of one kind, said in another way than the code does: a snapshot
/// stays when none after it lies in its span, and fewer than `count` other
/// spans have a snapshot after it.
bool on_ladder(
    const std::vector<Retained>& all,
    std::size_t at,
    std::int64_t count,
    const std::function<std::int64_t(std::int64_t)>& span) {
  std::set<std::int64_t> newer;
  for (std::size_t i = at + 1; i < all.size(); ++i) {
    if (all[i].readable) {
      newer.insert(span(all[i].created_ms));
    }
  }
  return all[at].readable && !newer.contains(span(all[at].created_ms)) &&
         static_cast<std::int64_t>(newer.size()) < count;
}

bool has_to_stay(
    const RetentionOptions& options,
    const std::vector<Retained>& all,
    const std::set<std::string>& pins,
    std::size_t at) {
  const auto none_after = [&](bool Retained::*property) {
    return all[at].*property &&
           std::none_of(
               all.begin() + static_cast<std::ptrdiff_t>(at) + 1,
               all.end(),
               [&](const Retained& each) { return each.*property; });
  };
  const auto every = static_cast<std::uint64_t>(options.keep_every);
  return pins.contains(all[at].id) ||
         at + static_cast<std::size_t>(options.keep_last) >= all.size() ||
         (every > 0 && all[at].commit % every == 0) ||
         none_after(&Retained::readable) || none_after(&Retained::healthy) ||
         on_ladder(
             all,
             at,
             options.keep_hourly,
             [](auto ms) { return ms / kHour; }) ||
         on_ladder(
             all, at, options.keep_daily, [](auto ms) { return ms / kDay; }) ||
         on_ladder(all, at, options.keep_weekly, [](auto ms) {
           return (ms - kMonday + 1000 * 7 * kDay) / (7 * kDay);
         });
}

TEST(Retention, HoldsItsPromisesForRandomHistories) {
  Random random(42);
  for (int trial = 0; trial < 1000; ++trial) {
    const auto options = random_options(random);
    const auto all = random_history(random);
    const auto pins = random_pins(all, random);
    const auto drop = to_drop(options, all, pins);
    const std::set<std::string> dropped(drop.begin(), drop.end());
    EXPECT_EQ(dropped.size(), drop.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(
          dropped.contains(all[i].id), !has_to_stay(options, all, pins, i))
          << "trial " << trial << ", commit " << all[i].commit;
    }
  }
}

TEST(Retention, DroppingOnTheWayKeepsWhatDroppingAtTheEndKeeps) {
  Random random(43);
  for (int trial = 0; trial < 500; ++trial) {
    const auto options = random_options(random);
    const auto history = random_history(random);
    const auto pins = random_pins(history, random);
    std::vector<Retained> left;
    for (const Retained& next : history) {
      left.push_back(next);
      for (const std::string& id : to_drop(options, left, pins)) {
        std::erase_if(left, [&](const auto& each) { return each.id == id; });
      }
    }
    std::vector<Retained> at_once = history;
    for (const std::string& id : to_drop(options, at_once, pins)) {
      std::erase_if(at_once, [&](const auto& each) { return each.id == id; });
    }
    std::vector<std::string> left_ids;
    std::vector<std::string> at_once_ids;
    for (const Retained& each : left) {
      left_ids.push_back(each.id);
    }
    for (const Retained& each : at_once) {
      at_once_ids.push_back(each.id);
    }
    EXPECT_EQ(left_ids, at_once_ids) << "trial " << trial;
  }
}

TEST(Retention, OrderOfTheListingDoesNotMatter) {
  Random random(44);
  for (int trial = 0; trial < 100; ++trial) {
    const auto options = random_options(random);
    auto all = random_history(random);
    const auto drop = to_drop(options, all, {});
    std::reverse(all.begin(), all.end());
    EXPECT_EQ(to_drop(options, all, {}), drop);
  }
}

}  // namespace
}  // namespace swavd::scheduler
