#include "state/run_lease.h"

#include <functional>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/state/memory_object_store.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr seconds kExpiry{60};
constexpr seconds kLook{5};

class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return now_;
  }

  /// Runs backwards, so that a comparison of wall clocks would be noticed.
  [[nodiscard]] std::int64_t unix_ms() const override {
    return 2'000'000'000'000 - now_.time_since_epoch().count() / 1000;
  }

  void advance(milliseconds time) { now_ += time; }

 private:
  std::chrono::steady_clock::time_point now_{seconds(1000)};
};

/// A store with faults: loses the answer of the next put, though the put
/// happens; refuses puts; is away.
class LossyStore final : public MemoryObjectStore {
 public:
  bool lose_next = false;
  bool refuse_puts = false;
  bool away = false;

  Result<std::string> put(
      const std::string& key,
      std::uint64_t bytes,
      const std::function<Result<Bytes>()>& source,
      const PutCondition& condition) override {
    if (away || refuse_puts) {
      return kAway;
    }
    auto done = MemoryObjectStore::put(key, bytes, source, condition);
    if (std::exchange(lose_next, false)) {
      return kAway;
    }
    return done;
  }

  Result<ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) override {
    return away ? Result<ObjectInfo>(kAway) : MemoryObjectStore::get(key, sink);
  }

 private:
  const Error kAway{ErrorCode::kUnavailable, "away"};
};

class RunLeaseTest : public ::testing::Test {
 protected:
  RunLease lease_of(SnapshotStore* local, bool take_over = false) {
    LeaseOptions options;
    options.me = this_process();
    options.expiry = kExpiry;
    options.look_every = kLook;
    options.take_over = take_over;
    return RunLease(local, &objects_, clock_, options);
  }

  /// Lets time pass at once; `meanwhile` is what others do then.
  std::function<bool(milliseconds)> pass(std::function<void()> meanwhile = {}) {
    return [this, meanwhile = std::move(meanwhile)](milliseconds time) {
      clock_.advance(time);
      waited_ += time;
      if (meanwhile) {
        meanwhile();
      }
      return true;
    };
  }

  ManualClock clock_;
  LossyStore objects_;
  milliseconds waited_{0};
};

TEST_F(RunLeaseTest, GenerationsGrowFromOneOwnerToTheNext) {
  auto first = lease_of(nullptr);
  EXPECT_EQ(first.claim(0, {}, pass()).value().generation, 1U);
  ASSERT_TRUE(first.release().ok());
  auto second = lease_of(nullptr);
  EXPECT_EQ(second.claim(0, {}, pass()).value().generation, 2U);
  ASSERT_TRUE(second.release().ok());
  EXPECT_EQ(waited_, milliseconds(0)) << "nobody waits for who let go";
  auto third = lease_of(nullptr);
  EXPECT_EQ(third.claim(9, {}, pass()).value().generation, 10U);
}

TEST_F(RunLeaseTest, OwnerThatRenewsKeepsTheRun) {
  auto owner = lease_of(nullptr);
  ASSERT_TRUE(owner.claim(0, {}, pass()).ok());
  auto other = lease_of(nullptr);
  const auto refused =
      other.claim(0, {}, pass([&] { EXPECT_TRUE(owner.renew().ok()); }));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kFenced);
  EXPECT_THAT(
      refused.error().message, HasSubstr(to_string(owner.record().owner)));
  EXPECT_THAT(refused.error().message, HasSubstr("--take-over"));
  EXPECT_TRUE(owner.renew().ok());
  EXPECT_EQ(owner.record().generation, 1U);
}

TEST_F(RunLeaseTest, SilentOwnerLosesTheRunAfterItsExpiryAndNotBefore) {
  auto owner = lease_of(nullptr);
  ASSERT_TRUE(owner.claim(0, {}, pass()).ok());
  auto other = lease_of(nullptr);
  ASSERT_TRUE(other.claim(0, {}, pass()).ok());
  EXPECT_EQ(waited_, kExpiry);
  EXPECT_EQ(other.record().generation, 2U);
  const auto late = owner.renew();
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kFenced);
  EXPECT_THAT(late.error().message, HasSubstr(to_string(other.record().owner)));
}

TEST_F(RunLeaseTest, OwnerThatEndsWhileItIsWatchedIsFollowedAtOnce) {
  auto owner = lease_of(nullptr);
  ASSERT_TRUE(owner.claim(0, {}, pass()).ok());
  auto other = lease_of(nullptr);
  ASSERT_TRUE(
      other.claim(0, {}, pass([&] { EXPECT_TRUE(owner.release().ok()); }))
          .ok());
  EXPECT_EQ(waited_, kLook);
}

TEST_F(RunLeaseTest, TakeOverDoesNotWait) {
  auto owner = lease_of(nullptr);
  ASSERT_TRUE(owner.claim(0, {}, pass()).ok());
  auto other = lease_of(nullptr, /*take_over=*/true);
  ASSERT_TRUE(other.claim(0, {}, pass()).ok());
  EXPECT_EQ(waited_, milliseconds(0));
  EXPECT_EQ(owner.renew().error().code, ErrorCode::kFenced);
  EXPECT_EQ(owner.release().error().code, ErrorCode::kFenced);
  EXPECT_TRUE(other.renew().ok());
}

TEST_F(RunLeaseTest, RestartInTheSameDataFolderDoesNotWait) {
  const TemporaryFolder folder;
  auto store = open_local_store({folder.path().string(), 1U << 20U});
  ASSERT_TRUE(store.ok());
  auto killed = lease_of(store.value().get());
  ASSERT_TRUE(killed.claim(0, {}, pass()).ok());
  auto restarted = lease_of(store.value().get());
  ASSERT_TRUE(restarted.claim(0, {}, pass()).ok());
  EXPECT_EQ(waited_, milliseconds(0));
  EXPECT_EQ(restarted.record().generation, 2U);
  EXPECT_EQ(killed.renew().error().code, ErrorCode::kFenced);
}

TEST_F(RunLeaseTest, RenewalWhoseAnswerGotLostIsRecognised) {
  auto owner = lease_of(nullptr);
  objects_.lose_next = true;
  EXPECT_EQ(owner.claim(0, {}, pass()).error().code, ErrorCode::kUnavailable);
  auto again = lease_of(nullptr, /*take_over=*/true);
  ASSERT_TRUE(again.claim(0, {}, pass()).ok());
  objects_.lose_next = true;
  EXPECT_EQ(again.renew().error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(again.renew().ok());
  EXPECT_TRUE(again.renew().ok());
}

TEST_F(RunLeaseTest, StoreThatIsAwayIsNoReasonToThinkTheRunLost) {
  auto owner = lease_of(nullptr);
  ASSERT_TRUE(owner.claim(0, {}, pass()).ok());
  objects_.away = true;
  EXPECT_EQ(owner.renew().error().code, ErrorCode::kUnavailable);
  objects_.away = false;
  EXPECT_TRUE(owner.renew().ok());
}

TEST_F(RunLeaseTest, ToldToEndWhileWatchingItGivesUp) {
  auto owner = lease_of(nullptr);
  ASSERT_TRUE(owner.claim(0, {}, pass()).ok());
  auto other = lease_of(nullptr);
  const auto given_up = other.claim(0, {}, [](milliseconds) { return false; });
  EXPECT_EQ(given_up.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(owner.renew().ok());
}

TEST_F(RunLeaseTest, BendIsInTheRecordOfBothTiersAndStaysThere) {
  const TemporaryFolder folder;
  auto store = open_local_store({folder.path().string(), 1U << 20U});
  ASSERT_TRUE(store.ok());
  auto operator_lease = lease_of(store.value().get());
  ASSERT_TRUE(operator_lease.claim(4, Rollback{0, "id", 3, 12}, pass()).ok());
  ASSERT_TRUE(operator_lease.release().ok());
  auto next = lease_of(nullptr);
  const auto record = next.claim(0, {}, pass());
  ASSERT_TRUE(record.ok());
  ASSERT_EQ(record.value().rollbacks.size(), 1U);
  EXPECT_EQ(record.value().rollbacks[0].generation, 5U);
  EXPECT_FALSE(on_line(record.value().rollbacks, 4, 13));
  const auto noted =
      parse_run_record(store.value()->read_note(kGenerationNote).value());
  ASSERT_TRUE(noted.ok());
  EXPECT_EQ(noted.value().rollbacks.size(), 1U);
}

TEST_F(RunLeaseTest, ClaimThatFailsBendsNothing) {
  const TemporaryFolder folder;
  auto store = open_local_store({folder.path().string(), 1U << 20U});
  ASSERT_TRUE(store.ok());
  auto mine = lease_of(store.value().get());
  objects_.refuse_puts = true;
  ASSERT_FALSE(mine.claim(4, Rollback{0, "id", 3, 12}, pass()).ok());
  const auto noted =
      parse_run_record(store.value()->read_note(kGenerationNote).value());
  ASSERT_TRUE(noted.ok());
  EXPECT_TRUE(noted.value().rollbacks.empty());
}

}  // namespace
}  // namespace swavd::state
