#include "dedup_free_loader/reading/record_reader.h"

#include <map>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/position.h"
#include "ops/base/sha256.h"
#include "tests/ingest/memory_stream.h"
#include "tests/ops/base/manual_clock.h"

namespace swavd::loader {
namespace {

using ingest::PollState;
using ingest::testing::MemoryStream;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

/// (partition, offset) in the order given.
using Addresses = std::vector<std::pair<std::int32_t, std::int64_t>>;

class RecordReaderTest : public ::testing::Test {
 protected:
  explicit RecordReaderTest(std::int32_t partitions = 2)
      : stream_(MemoryStream::make("t", partitions)) {
    for (std::int32_t p = 0; p < partitions; ++p) {
      options_.partitions.push_back(p);
      progress_.begin("t", p, 0);
    }
    options_.seed = 11;
    options_.shuffle_records = 8;
    options_.shuffle_bytes = 1 << 20;
    options_.shuffle_wait = milliseconds(1000);
  }

  void append(std::int32_t partition, int records) {
    for (int i = 0; i < records; ++i) {
      stream_->append(partition, "0123456789");
    }
  }

  /// A reader that goes on from `progress_`.
  void start() {
    reader_.reset();
    source_ = stream_->source();
    SWAVD_CHECK(source_->assign(progress_.positions()).ok());
    reader_.emplace(*source_, options_, clock_);
  }

  /// Reads until nothing comes, at most `most` records, and consumes them.
  Addresses take(std::size_t most = 1000) {
    Addresses taken;
    int idle = 0;
    // A record that was taken in and not given is an idle call, too.
    while (taken.size() < most && idle < 100) {
      auto read = reader_->next(milliseconds(0));
      SWAVD_CHECK(read.ok());
      if (read.value().state != PollState::kRecord) {
        ++idle;
        continue;
      }
      const Drawn& drawn = read.value().drawn;
      options_.first_turn = read.value().turn_after;
      const ingest::Address& address = drawn.record.address;
      taken.emplace_back(address.partition, address.offset);
      SWAVD_CHECK(progress_
                      .consume(
                          {address,
                           drawn.record.timestamp_ms,
                           sha256(drawn.record.payload)})
                      .ok());
      if (drawn.absent) {
        progress_.absent(
            drawn.absent->partition, drawn.absent->from, drawn.absent->to);
      }
    }
    return taken;
  }

  std::shared_ptr<MemoryStream> stream_;
  LoaderOptions options_;
  swavd::testing::ManualClock clock_;
  ingest::StreamProgress progress_;
  std::unique_ptr<ingest::Source> source_;
  std::optional<RecordReader> reader_;
};

Addresses of_partition(const Addresses& all, std::int32_t partition) {
  Addresses some;
  for (const auto& each : all) {
    if (each.first == partition) {
      some.push_back(each);
    }
  }
  return some;
}

TEST_F(RecordReaderTest, WholeBlocksNeedNoTimeToPass) {
  append(0, 16);
  append(1, 8);
  start();
  const Addresses taken = take();
  EXPECT_THAT(taken, SizeIs(24));
  EXPECT_THAT(progress_.positions()[0].done_above, IsEmpty());
  EXPECT_EQ(progress_.positions()[0].next, 16);
  Addresses sorted = of_partition(taken, 0);
  std::ranges::sort(sorted);
  EXPECT_NE(of_partition(taken, 0), sorted);
}

TEST_F(RecordReaderTest, ARestOfABlockIsGivenWhenItHasWaited) {
  append(0, 10);
  start();
  EXPECT_THAT(take(), SizeIs(8));
  EXPECT_EQ(reader_->held_records(), 2U);
  EXPECT_EQ(reader_->held_bytes(), 20U);
  clock_.pass(milliseconds(999));
  EXPECT_THAT(take(), IsEmpty());
  clock_.pass(milliseconds(1));
  EXPECT_THAT(take(), SizeIs(2));
  EXPECT_EQ(reader_->held_records(), 0U);
}

TEST_F(RecordReaderTest, ARecordThatWaitsIsNotHeldUpByAnotherPartition) {
  append(1, 3);
  append(0, 8);
  start();
  EXPECT_THAT(of_partition(take(), 1), IsEmpty());
  clock_.pass(milliseconds(1000));
  append(0, 800);
  EXPECT_THAT(of_partition(take(10), 1), SizeIs(3));
}

/// While the trainer is busy, time passes and nobody asks the stream.
TEST_F(RecordReaderTest, ABusyTrainerDoesNotBreakUpBlocksThatAreThere) {
  append(0, 64);
  append(1, 64);
  const ingest::StreamProgress fresh = progress_;
  start();
  const Addresses at_once = take();
  progress_ = fresh;
  start();
  Addresses slowly;
  while (slowly.size() < at_once.size()) {
    clock_.pass(milliseconds(5000));
    const Addresses more = take(1);
    ASSERT_THAT(more, SizeIs(1));
    slowly.push_back(more.front());
  }
  for (const std::int32_t partition : {0, 1}) {
    EXPECT_EQ(
        of_partition(slowly, partition), of_partition(at_once, partition));
  }
}

TEST_F(RecordReaderTest, AFullWindowTakesOneInForEachItGives) {
  append(0, 64);
  start();
  (void)take(1);
  const std::size_t held = reader_->held_records();
  for (int i = 0; i < 40; ++i) {
    (void)take(1);
    EXPECT_EQ(reader_->held_records(), held);
  }
}

TEST_F(RecordReaderTest, HoldsNoMoreThanItsBytes) {
  options_.shuffle_records = 1 << 20;
  options_.shuffle_bytes = 2 * 100;  // of two partitions
  append(0, 200);
  append(1, 200);
  start();
  std::size_t given = 0;
  while (given < 380) {
    const std::size_t now = take(1).size();
    ASSERT_EQ(now, 1U);
    given += now;
    EXPECT_LE(reader_->held_bytes(), 2 * 110U);
  }
}

TEST_F(RecordReaderTest, TurnsAreStrictAndWaitForWholeBlocks) {
  options_.order = Order::kRoundRobin;
  append(0, 16);
  append(1, 7);
  start();
  EXPECT_THAT(take(), SizeIs(1));  // partition 1 has no whole block
  clock_.pass(milliseconds(100'000));
  EXPECT_THAT(take(), IsEmpty());
  append(1, 1);
  const Addresses taken = take();
  ASSERT_THAT(taken, SizeIs(16));  // its second block is not there
  for (std::size_t i = 0; i < taken.size(); ++i) {
    EXPECT_EQ(taken[i].first, i % 2 == 0 ? 1 : 0);
  }
}

/// The order of a run is the same wherever it was interrupted.
TEST_F(RecordReaderTest, TurnsGoOnExactlyFromAnyPosition) {
  options_.order = Order::kRoundRobin;
  append(0, 13);
  stream_->make_hole(0, 3);
  append(0, 30);
  append(1, 24);
  stream_->make_hole(1, 8);
  append(1, 30);
  const ingest::StreamProgress fresh = progress_;
  start();
  const Addresses whole = take();
  ASSERT_GT(whole.size(), 60U);
  for (const std::size_t pieces : {1U, 3U, 7U}) {
    progress_ = fresh;
    options_.first_turn = 0;
    Addresses pieced;
    while (pieced.size() < whole.size()) {
      start();
      const Addresses more = take(pieces);
      ASSERT_THAT(more, ::testing::Not(IsEmpty()));
      pieced.insert(pieced.end(), more.begin(), more.end());
    }
    EXPECT_EQ(pieced, whole) << pieces << " at a time";
  }
}

TEST_F(RecordReaderTest, WhatIsHeldIsGivenBeforeAnErrorIsTold) {
  append(0, 5);
  start();
  EXPECT_THAT(take(), IsEmpty());
  stream_->make_hole(0, 20);
  stream_->drop_below(0, 25);  // the offsets behind the five are gone
  Addresses taken;
  auto read = reader_->next(milliseconds(0));
  while (read.ok()) {
    ASSERT_EQ(read.value().state, PollState::kRecord);
    taken.emplace_back(0, read.value().drawn.record.address.offset);
    read = reader_->next(milliseconds(0));
  }
  EXPECT_EQ(read.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(
      taken,
      UnorderedElementsAre(
          std::pair(0, 0),
          std::pair(0, 1),
          std::pair(0, 2),
          std::pair(0, 3),
          std::pair(0, 4)));
}

TEST_F(RecordReaderTest, AnOutageHoldsNothingBack) {
  append(0, 8);
  start();
  EXPECT_THAT(take(1), SizeIs(1));
  stream_->set_unavailable(true);
  EXPECT_THAT(take(), SizeIs(7));
}

}  // namespace
}  // namespace swavd::loader
