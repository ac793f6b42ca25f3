#include "ingest/crawl/frontier.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::ingest {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using TimePoint = Frontier::TimePoint;

constexpr TimePoint kStart{hours(1000)};
constexpr HostReport kFine{};
constexpr HostReport kFailed{/*failed=*/true, std::nullopt};

FrontierOptions options() {
  FrontierOptions options;
  options.per_host_delay = seconds(2);
  options.backoff_min = seconds(10);
  options.backoff_max = seconds(60);
  options.failures_to_set_aside = 4;
  options.set_aside = seconds(1800);
  return options;
}

CrawlTask task(std::string url) {
  CrawlTask task;
  task.listed = std::move(url);
  return task;
}

void fill(Frontier& frontier, const std::string& host, int urls) {
  for (int i = 0; i < urls; ++i) {
    ASSERT_TRUE(frontier.add(
        task("http://" + host + "/" + std::to_string(i)), host, kStart));
  }
}

TEST(Frontier, GivesEveryTaskOnce) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 20);
  fill(frontier, "b", 20);
  std::set<std::string> seen;
  TimePoint now = kStart;
  while (frontier.size() > 0) {
    while (auto draw = frontier.draw(now)) {
      EXPECT_TRUE(seen.insert(draw->task.listed).second);
      frontier.release(draw->host, kFine, now);
    }
    now += seconds(2);
  }
  EXPECT_EQ(seen.size(), 40U);
}

TEST(Frontier, AsksAHostForOneThingAtATime) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 2);
  const auto first = frontier.draw(kStart);
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(frontier.draw(kStart + hours(1)).has_value());
}

TEST(Frontier, WaitsTheDelayAfterTheEndOfARequest) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 2);
  const auto first = frontier.draw(kStart);
  const TimePoint end = kStart + seconds(5);
  frontier.release(first->host, kFine, end);
  EXPECT_EQ(frontier.next_due(), end + seconds(2));
  EXPECT_FALSE(frontier.draw(end + milliseconds(1999)).has_value());
  EXPECT_TRUE(frontier.draw(end + seconds(2)).has_value());
}

TEST(Frontier, WaitsForAHostEvenIfItHadNoTasksMeanwhile) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 1);
  frontier.release(frontier.draw(kStart)->host, kFine, kStart);
  ASSERT_TRUE(frontier.add(task("http://a/new"), "a", kStart + seconds(1)));
  EXPECT_FALSE(frontier.draw(kStart + seconds(1)).has_value());
  EXPECT_TRUE(frontier.draw(kStart + seconds(2)).has_value());
}

TEST(Frontier, ForgetsAHostThatIsNeitherWaitedForNorSuspect) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 1);
  frontier.release(frontier.draw(kStart)->host, kFine, kStart);
  EXPECT_EQ(frontier.hosts(), 1U);
  EXPECT_FALSE(frontier.draw(kStart + seconds(2)).has_value());
  EXPECT_EQ(frontier.hosts(), 0U);
}

TEST(Frontier, MixesHostsThatCameInBlocks) {
  FrontierOptions quick = options();
  quick.per_host_delay = milliseconds(0);
  Frontier frontier(quick, 7);
  fill(frontier, "a", 100);
  fill(frontier, "b", 100);
  fill(frontier, "c", 100);
  std::map<std::string, int> early;
  for (int i = 0; i < 100; ++i) {
    auto draw = frontier.draw(kStart);
    ASSERT_TRUE(draw.has_value());
    ++early[Frontier::name(draw->host)];
    frontier.release(draw->host, kFine, kStart);
  }
  // A fair draw gives 33 each, with a standard deviation of 5.
  for (const char* host : {"a", "b", "c"}) {
    EXPECT_GT(early[host], 15) << host;
  }
}

TEST(Frontier, DrawsTheTasksOfAHostInNoOrder) {
  FrontierOptions quick = options();
  quick.per_host_delay = milliseconds(0);
  Frontier frontier(quick, 7);
  fill(frontier, "a", 50);
  std::vector<int> order;
  while (auto draw = frontier.draw(kStart)) {
    order.push_back(std::stoi(draw->task.listed.substr(9)));
    frontier.release(draw->host, kFine, kStart);
  }
  ASSERT_EQ(order.size(), 50U);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  EXPECT_FALSE(std::is_sorted(order.rbegin(), order.rend()));
}

TEST(Frontier, DoublesTheWaitWithEachFailureInARow) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 5);
  TimePoint now = kStart;
  std::vector<std::int64_t> waits;
  for (const HostReport& report : {kFailed, kFailed, kFailed, kFine, kFailed}) {
    auto draw = frontier.draw(now);
    ASSERT_TRUE(draw.has_value());
    const auto released = frontier.release(draw->host, report, now);
    EXPECT_FALSE(released.set_aside);
    waits.push_back(released.wait.count());
    now += released.wait;
  }
  EXPECT_EQ(
      waits,
      (std::vector<std::int64_t>{10'000, 20'000, 40'000, 2'000, 10'000}));
}

TEST(Frontier, HonoursALongerRetryAfter) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 2);
  const auto released = frontier.release(
      frontier.draw(kStart)->host, {true, seconds(45)}, kStart);
  EXPECT_EQ(released.wait, seconds(45));
  EXPECT_FALSE(released.set_aside);
}

TEST(Frontier, SetsAsideAHostThatWantsAWaitBeyondTheLongestBackoff) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 3);
  const auto released =
      frontier.release(frontier.draw(kStart)->host, {true, hours(2)}, kStart);
  EXPECT_TRUE(released.set_aside);
  EXPECT_EQ(released.wait, hours(2));
  EXPECT_EQ(released.dropped, 2U);
}

TEST(Frontier, BelievesNoRetryAfterBeyondADay) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 1);
  const auto released = frontier.release(
      frontier.draw(kStart)->host, {true, hours(100'000)}, kStart);
  EXPECT_EQ(released.wait, hours(24));
}

TEST(Frontier, SetsAsideAHostThatKeepsFailingAndTakesItBackLater) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 10);
  fill(frontier, "b", 1);
  TimePoint now = kStart;
  Frontier::Released released;
  int asked = 0;
  while (!released.set_aside) {
    auto draw = frontier.draw(now);
    ASSERT_TRUE(draw.has_value());
    const bool is_a = Frontier::name(draw->host) == "a";
    released = frontier.release(draw->host, is_a ? kFailed : kFine, now);
    asked += is_a ? 1 : 0;
    now += seconds(60);
  }
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(released.dropped, 6U);
  EXPECT_FALSE(frontier.add(task("http://a/new"), "a", now));

  now += seconds(1800);
  EXPECT_TRUE(frontier.add(task("http://a/new"), "a", now));
  const auto again = frontier.draw(now);
  ASSERT_TRUE(again.has_value());
  // On parole: the next failure sets it aside at once.
  EXPECT_TRUE(frontier.release(again->host, kFailed, now).set_aside);
}

TEST(Frontier, RemembersFailuresOfAHostThatRanOutOfTasks) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 1);
  frontier.release(frontier.draw(kStart)->host, kFailed, kStart);
  const TimePoint later = kStart + seconds(30);
  EXPECT_FALSE(frontier.draw(later).has_value());
  ASSERT_TRUE(frontier.add(task("http://a/new"), "a", later));
  const auto draw = frontier.draw(later);
  ASSERT_TRUE(draw.has_value());
  EXPECT_EQ(frontier.release(draw->host, kFailed, later).wait, seconds(20));
}

TEST(Frontier, ForgetsAFailingHostInTheEnd) {
  Frontier frontier(options(), 1);
  fill(frontier, "a", 1);
  frontier.release(frontier.draw(kStart)->host, kFailed, kStart);
  EXPECT_FALSE(frontier.draw(kStart + seconds(10)).has_value());
  EXPECT_EQ(frontier.hosts(), 1U);
  EXPECT_FALSE(frontier.draw(kStart + seconds(70)).has_value());
  EXPECT_EQ(frontier.hosts(), 0U);
}

}  // namespace
}  // namespace swavd::ingest
