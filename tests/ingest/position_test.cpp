#include "ingest/position.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "ops/base/bytes.h"

namespace swavd::ingest {

namespace {

Consumed record_at(std::int64_t offset, Outcome outcome = Outcome::kTrained) {
  const std::string payload = "payload " + std::to_string(offset);
  return {
      {"images", 0, offset}, 1000 + offset, sha256(as_bytes(payload)), outcome};
}

StreamProgress started(std::int64_t start) {
  StreamProgress progress;
  progress.begin("images", 0, start);
  return progress;
}

Position only(const StreamProgress& progress) {
  return progress.positions().front();
}

void consume_all(
    StreamProgress& progress,
    std::initializer_list<std::int64_t> offsets) {
  for (const std::int64_t offset : offsets) {
    const Status status = progress.consume(record_at(offset));
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
}

/// The same thing said naively: a set of finished offsets.
struct NaiveModel {
  std::int64_t start = 0;
  std::set<std::int64_t> finished;

  [[nodiscard]] std::int64_t next() const {
    std::int64_t at = start;
    while (finished.count(at) != 0) {
      ++at;
    }
    return at;
  }

  [[nodiscard]] std::vector<OffsetRange> done_above() const {
    std::vector<OffsetRange> ranges;
    for (auto it = finished.upper_bound(next()); it != finished.end(); ++it) {
      if (!ranges.empty() && ranges.back().last + 1 == *it) {
        ranges.back().last = *it;
      } else {
        ranges.push_back({*it, *it});
      }
    }
    return ranges;
  }
};

void expect_equal(const StreamProgress& progress, const NaiveModel& model) {
  const Position position = only(progress);
  EXPECT_EQ(position.next, model.next());
  EXPECT_EQ(position.done_above, model.done_above());
}

}  // namespace

TEST(StreamProgress, InOrderConsumptionMovesNextAndLeavesNothingAbove) {
  auto progress = started(5);
  consume_all(progress, {5, 6, 7});
  const Position position = only(progress);
  EXPECT_EQ(position.start, 5);
  EXPECT_EQ(position.next, 8);
  EXPECT_TRUE(position.done_above.empty());
  EXPECT_EQ(position.trained, 3U);
}

TEST(StreamProgress, FinishedOffsetsAboveNextAreRangesThatJoin) {
  auto progress = started(0);
  consume_all(progress, {3, 5, 4, 8});
  EXPECT_EQ(
      only(progress).done_above, (std::vector<OffsetRange>{{3, 5}, {8, 8}}));
  consume_all(progress, {0, 1, 2});
  EXPECT_EQ(only(progress).next, 6);
  EXPECT_EQ(only(progress).done_above, (std::vector<OffsetRange>{{8, 8}}));
}

TEST(StreamProgress, ARecordConsumedTwiceIsRefusedAndChangesNothing) {
  auto progress = started(0);
  consume_all(progress, {0, 1, 4});
  const auto before = progress.positions();
  const Ledger ledger = progress.ledger();
  for (const std::int64_t offset : {0, 1, 4}) {
    const Status status = progress.consume(record_at(offset));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kInternal);
    EXPECT_NE(
        status.error().message.find("images/0/" + std::to_string(offset)),
        std::string::npos);
  }
  EXPECT_EQ(progress.positions(), before);
  EXPECT_EQ(progress.ledger(), ledger);
}

TEST(StreamProgress, RecordsOutsideTheRunAreRefused) {
  auto progress = started(10);
  EXPECT_FALSE(progress.consume(record_at(9)).ok());
  Consumed other_partition = record_at(10);
  other_partition.address.partition = 1;
  EXPECT_FALSE(progress.consume(other_partition).ok());
  Consumed other_topic = record_at(10);
  other_topic.address.topic = "photos";
  EXPECT_FALSE(progress.consume(other_topic).ok());
  EXPECT_EQ(progress.ledger().count, 0U);
}

TEST(StreamProgress, AGapIsWrittenAndItsOffsetsAreRefused) {
  auto progress = started(0);
  consume_all(progress, {0, 1});
  ASSERT_TRUE(progress.skip_gap(0, 2, 9, "retention").ok());
  const Position position = only(progress);
  EXPECT_EQ(position.next, 10);
  EXPECT_EQ(position.gaps, (std::vector<Gap>{{2, 9, "retention"}}));
  EXPECT_EQ(position.trained, 2U);
  const Status status = progress.consume(record_at(5));
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("gap 2-9"), std::string::npos);
  consume_all(progress, {10});
}

TEST(StreamProgress, AGapLeavesOutWhatWasConsumedInsideIt) {
  auto progress = started(0);
  consume_all(progress, {3, 4, 9});
  ASSERT_TRUE(progress.skip_gap(0, 0, 6, "retention").ok());
  const Position position = only(progress);
  EXPECT_EQ(
      position.gaps,
      (std::vector<Gap>{{0, 2, "retention"}, {5, 6, "retention"}}));
  EXPECT_EQ(position.next, 7);
  EXPECT_EQ(position.done_above, (std::vector<OffsetRange>{{9, 9}}));
}

TEST(StreamProgress, GapsThatTouchAreOne) {
  auto progress = started(0);
  ASSERT_TRUE(progress.skip_gap(0, 0, 4, "retention").ok());
  ASSERT_TRUE(progress.skip_gap(0, 5, 9, "retention").ok());
  EXPECT_EQ(only(progress).gaps, (std::vector<Gap>{{0, 9, "retention"}}));
}

TEST(StreamProgress, AGapThatBeginsInConsumedOffsetsIsCutShort) {
  auto progress = started(0);
  consume_all(progress, {0, 1, 2});
  ASSERT_TRUE(progress.skip_gap(0, 1, 4, "retention").ok());
  EXPECT_EQ(only(progress).gaps, (std::vector<Gap>{{3, 4, "retention"}}));
  EXPECT_EQ(only(progress).next, 5);
  ASSERT_TRUE(progress.skip_gap(0, 0, 3, "retention").ok());
  EXPECT_EQ(only(progress).next, 5);
  EXPECT_EQ(only(progress).gaps.size(), 1U);
}

TEST(StreamProgress, AGapBeginsAtThePositionOrIsRefused) {
  auto progress = started(0);
  EXPECT_FALSE(progress.skip_gap(0, 1, 4, "retention").ok());
  EXPECT_FALSE(progress.skip_gap(7, 0, 4, "retention").ok());
  EXPECT_FALSE(progress.skip_gap(0, 0, -1, "retention").ok());
  EXPECT_EQ(only(progress).next, 0);
}

TEST(StreamProgress, AbsentOffsetsLetNextPassAndAreNotCounted) {
  auto progress = started(0);
  consume_all(progress, {0, 4});
  progress.absent(0, 1, 3);
  const Position position = only(progress);
  EXPECT_EQ(position.next, 5);
  EXPECT_EQ(position.trained, 2U);
  EXPECT_TRUE(position.gaps.empty());
}

TEST(StreamProgress, OutcomesAreCountedApartAndAddUpToTheLedger) {
  auto progress = started(0);
  ASSERT_TRUE(progress.consume(record_at(0, Outcome::kTrained)).ok());
  ASSERT_TRUE(progress.consume(record_at(1, Outcome::kRejected)).ok());
  ASSERT_TRUE(progress.consume(record_at(2, Outcome::kSkipped)).ok());
  ASSERT_TRUE(progress.consume(record_at(3, Outcome::kSkipped)).ok());
  const Position position = only(progress);
  EXPECT_EQ(position.trained, 1U);
  EXPECT_EQ(position.rejected, 1U);
  EXPECT_EQ(position.skipped, 2U);
  EXPECT_EQ(progress.ledger().count, 4U);
}

TEST(StreamProgress, TheFingerprintIsOfTheHighestOffsetConsumed) {
  auto progress = started(0);
  consume_all(progress, {2, 0, 1});
  const auto last = only(progress).last;
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->offset, 2);
  EXPECT_EQ(last->timestamp_ms, 1002);
  EXPECT_EQ(last->sha256, sha256_hex(as_bytes("payload 2")));
}

TEST(Ledger, CanBeRecomputedByHand) {
  Ledger ledger;
  ledger.add({"images", 2, 7}, sha256(as_bytes("abc")));
  ledger.add({"images", 0, 1}, sha256(as_bytes("")));
  // sha256("abc") begins ba7816bf8f01cfea, sha256("") e3b0c44298fc1c14: FIPS
  // 180-4's examples, read little-endian.
  EXPECT_EQ(ledger.content, 0xeacf018fbf1678baU + 0x141cfc9842c4b0e3U);
  const Digest first = sha256(as_bytes("images/2/7"));
  const Digest second = sha256(as_bytes("images/0/1"));
  EXPECT_EQ(
      ledger.hash, load_u64_le(first.data()) + load_u64_le(second.data()));
  EXPECT_EQ(ledger.count, 2U);
}

TEST(StreamProgress, AgreesWithASetUnderRandomOutOfOrderConsumption) {
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    NaiveModel model{static_cast<std::int64_t>(seed), {}};
    auto progress = started(model.start);
    std::vector<std::int64_t> offsets(300);
    std::iota(offsets.begin(), offsets.end(), model.start);
    // A shuffle within windows, as the loader's, some offsets absent.
    const std::size_t window = 1 + random() % 64;
    for (std::size_t at = 0; at < offsets.size(); at += window) {
      const std::size_t end = std::min(offsets.size(), at + window);
      std::shuffle(
          offsets.begin() + static_cast<std::ptrdiff_t>(at),
          offsets.begin() + static_cast<std::ptrdiff_t>(end),
          random);
    }
    std::uint64_t consumed = 0;
    for (const std::int64_t offset : offsets) {
      if (random() % 10 == 0) {
        progress.absent(0, offset, offset);
      } else {
        ASSERT_TRUE(progress.consume(record_at(offset)).ok());
        ++consumed;
      }
      model.finished.insert(offset);
      expect_equal(progress, model);
    }
    EXPECT_EQ(only(progress).trained, consumed);
    EXPECT_EQ(only(progress).next, model.start + 300);
    EXPECT_TRUE(only(progress).done_above.empty());
  }
}

TEST(StreamProgress, ARestoredProgressContinuesLikeTheOriginal) {
  auto original = started(0);
  consume_all(original, {0, 3, 4});
  ASSERT_TRUE(original.skip_gap(0, 1, 2, "retention").ok());
  consume_all(original, {7});
  StreamProgress restored(original.positions(), original.ledger());
  for (StreamProgress* each : {&original, &restored}) {
    consume_all(*each, {5, 9, 6});
    EXPECT_FALSE(each->consume(record_at(2)).ok());
    EXPECT_FALSE(each->consume(record_at(7)).ok());
  }
  EXPECT_EQ(original.positions(), restored.positions());
  EXPECT_EQ(original.ledger(), restored.ledger());
}

TEST(StreamProgress, TheLedgerDoesNotDependOnTheOrder) {
  auto forward = started(0);
  auto backward = started(0);
  consume_all(forward, {0, 1, 2, 3});
  consume_all(backward, {3, 2, 1, 0});
  EXPECT_EQ(forward.ledger(), backward.ledger());
  EXPECT_EQ(forward.positions(), backward.positions());
}

}  // namespace swavd::ingest
