#pragma once

// The contract of Source and Sink as tests, for every kind of stream. Include
// it in one source file of a test program and instantiate the suite:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StreamContract,
//       testing::Values(StreamMaker{"memory", make_memory_stream}),
//       maker_name);

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ingest/position.h"
#include "ingest/record.h"
#include "ingest/sink.h"
#include "ingest/source.h"
#include "ingest/streams.h"
#include "ops/base/bytes.h"
#include "ops/base/clock.h"
#include "ops/base/sha256.h"
#include "ops/base/stage.h"

namespace swavd::ingest::testing {

/// One empty stream of several partitions, made for one test.
class StreamUnderTest {
 public:
  virtual ~StreamUnderTest() = default;

  [[nodiscard]] virtual std::unique_ptr<Source> source(
      const SourceOptions& options) = 0;

  [[nodiscard]] virtual std::unique_ptr<Sink> sink() = 0;

  /// Removes all records below `offset`; false when this kind cannot.
  [[nodiscard]] virtual bool drop_below(
      std::int32_t partition,
      std::int64_t offset) {
    (void)partition;
    (void)offset;
    return false;
  }

  /// Deletes the stream and makes it anew; false when this kind cannot.
  [[nodiscard]] virtual bool make_anew() { return false; }
};

struct StreamMaker {
  std::string name;
  /// Gives nullptr, and explains in `why`, when what it needs is not here.
  std::function<std::unique_ptr<StreamUnderTest>(std::string& why)> make;
};

/// Else GoogleTest shows the bytes of the object, addresses and all.
inline void PrintTo(const StreamMaker& maker, std::ostream* out) {
  *out << maker.name;
}

inline std::string maker_name(
    const ::testing::TestParamInfo<StreamMaker>& info) {
  return info.param.name;
}

/// Long enough for a slow machine: no test waits for it unless it fails.
inline constexpr std::chrono::milliseconds kPatience{30000};

/// An hour ago: old enough to be told from "now", young enough for any
/// retention by age.
inline std::int64_t base_time_ms() {
  static const std::int64_t base = SystemClock().unix_ms() - 3600000;
  return base;
}

/// A wait that is meant to run out.
inline constexpr std::chrono::milliseconds kBrief{50};

class StreamContract : public ::testing::TestWithParam<StreamMaker> {
 protected:
  void SetUp() override {
    std::string why;
    stream_ = GetParam().make(why);
    if (stream_ == nullptr) {
      GTEST_SKIP() << why;
    }
  }

  /// Publishes "payload <i>" under key "key <i>" for i in [first, end).
  void publish(int first, int end) {
    if (sink_ == nullptr) {
      sink_ = stream_->sink();
    }
    for (int i = first; i < end; ++i) {
      const Status status = sink_->publish(out_record(i));
      ASSERT_TRUE(status.ok()) << status.error().message;
    }
    const Status flushed = sink_->flush(kPatience);
    ASSERT_TRUE(flushed.ok()) << flushed.error().message;
  }

  static OutRecord out_record(int i) {
    const std::string payload = "payload " + std::to_string(i);
    const Bytes bytes = as_bytes(payload);
    OutRecord record;
    record.key = "key " + std::to_string(i);
    record.payload.assign(bytes.begin(), bytes.end());
    record.headers = {
        {"url", "http://h/" + std::to_string(i)}, {"n", "1"}, {"n", "2"}};
    record.timestamp_ms = base_time_ms() + i;
    return record;
  }

  /// Positions of a run that starts at the beginning.
  static std::vector<Position> from_start(Source& source) {
    auto start = source.resolve_start({});
    EXPECT_TRUE(start.ok());
    std::vector<Position> positions;
    for (const PartitionBounds& bounds : start.value()) {
      Position position;
      position.topic = source.topic();
      position.partition = bounds.partition;
      position.start = position.next = bounds.begin;
      positions.push_back(position);
    }
    return positions;
  }

  std::unique_ptr<Source> assigned_source() {
    auto source = stream_->source({});
    const Status status = source->assign(from_start(*source));
    EXPECT_TRUE(status.ok()) << status.error().message;
    return source;
  }

  static std::vector<Record> read(Source& source, std::size_t count) {
    std::vector<Record> records;
    while (records.size() < count) {
      auto polled = source.poll(kPatience);
      if (!polled.ok() || polled.value().state != PollState::kRecord) {
        ADD_FAILURE() << "only " << records.size() << " of " << count
                      << " records came: "
                      << (polled.ok() ? "idle" : polled.error().message);
        break;
      }
      records.push_back(std::move(polled).value().record);
    }
    return records;
  }

  static StreamProgress progress_of(
      const std::vector<Position>& start,
      const std::vector<Record>& records) {
    StreamProgress progress(start, {});
    for (const Record& record : records) {
      const Status status = progress.consume(
          {record.address,
           record.timestamp_ms,
           sha256(record.payload),
           Outcome::kTrained});
      EXPECT_TRUE(status.ok()) << status.error().message;
    }
    return progress;
  }

  static std::multiset<std::string> payloads(
      const std::vector<Record>& records) {
    std::multiset<std::string> texts;
    for (const Record& record : records) {
      texts.emplace(as_text(record.payload));
    }
    return texts;
  }

  static std::multiset<std::string> expected(int first, int end) {
    std::multiset<std::string> texts;
    for (int i = first; i < end; ++i) {
      texts.insert("payload " + std::to_string(i));
    }
    return texts;
  }

  std::unique_ptr<StreamUnderTest> stream_;
  std::unique_ptr<Sink> sink_;
};

TEST_P(StreamContract, RecordsArriveWholeAndInOrderOfTheirPartition) {
  publish(0, 60);
  auto source = assigned_source();
  const auto records = read(*source, 60);
  EXPECT_EQ(payloads(records), expected(0, 60));
  std::map<std::int32_t, std::int64_t> last_offset;
  std::map<std::int32_t, std::int64_t> last_time;
  for (const Record& record : records) {
    const std::int32_t p = record.address.partition;
    EXPECT_EQ(record.address.topic, source->topic());
    if (last_offset.count(p) != 0) {
      EXPECT_GT(record.address.offset, last_offset[p]);
      EXPECT_GT(record.timestamp_ms, last_time[p]);
    }
    last_offset[p] = record.address.offset;
    last_time[p] = record.timestamp_ms;
    const std::int64_t i = record.timestamp_ms - base_time_ms();
    EXPECT_EQ(record.key, "key " + std::to_string(i));
    const Headers want = out_record(static_cast<int>(i)).headers;
    EXPECT_EQ(record.headers, want);
  }
  EXPECT_GT(last_offset.size(), 1U) << "the keys fell into one partition";
}

TEST_P(StreamContract, AnEmptyStreamIsIdleAndThenBringsWhatIsPublished) {
  auto source = assigned_source();
  const auto idle = source->poll(kBrief);
  ASSERT_TRUE(idle.ok()) << idle.error().message;
  EXPECT_EQ(idle.value().state, PollState::kIdle);
  publish(0, 5);
  EXPECT_EQ(payloads(read(*source, 5)), expected(0, 5));
}

TEST_P(StreamContract, TwoSourcesSeeTheSameRecords) {
  publish(0, 20);
  auto first = assigned_source();
  auto second = assigned_source();
  EXPECT_EQ(payloads(read(*first, 20)), payloads(read(*second, 20)));
  const auto id = first->stream_id();
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(id.value(), second->stream_id().value());
}

TEST_P(StreamContract, BoundsSayWhatEachPartitionHolds) {
  publish(0, 30);
  auto source = stream_->source({});
  const auto bounds = source->bounds();
  ASSERT_TRUE(bounds.ok()) << bounds.error().message;
  std::int64_t total = 0;
  std::int32_t partition = 0;
  for (const PartitionBounds& each : bounds.value()) {
    EXPECT_EQ(each.partition, partition++);
    total += each.end - each.begin;
  }
  EXPECT_EQ(total, 30);
}

TEST_P(StreamContract, LatestStartsAtTheEnd) {
  publish(0, 10);
  auto source = stream_->source({});
  const auto latest = source->resolve_start({StartAt::kLatest, 0});
  ASSERT_TRUE(latest.ok()) << latest.error().message;
  for (const PartitionBounds& each : latest.value()) {
    EXPECT_EQ(each.begin, each.end);
  }
}

TEST_P(StreamContract, ASourceResumesExactlyWhereAPositionStands) {
  publish(0, 50);
  auto before = assigned_source();
  const auto start = from_start(*before);
  auto consumed = read(*before, 21);
  auto progress = progress_of(start, consumed);
  before->close();
  auto after = stream_->source({});
  const Status status = after->assign(progress.positions());
  ASSERT_TRUE(status.ok()) << status.error().message;
  for (Record& record : read(*after, 29)) {
    consumed.push_back(std::move(record));
  }
  EXPECT_EQ(payloads(consumed), expected(0, 50));
  const auto rest = after->poll(kBrief);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(rest.value().state, PollState::kIdle);
}

TEST_P(StreamContract, WhatWasDoneAboveTheNextOffsetIsLeftOut) {
  publish(0, 40);
  auto before = assigned_source();
  const auto start = from_start(*before);
  const auto records = read(*before, 40);
  std::vector<Record> done;
  std::multiset<std::string> open;
  for (const Record& record : records) {
    if (record.address.offset % 3 == 1) {
      done.push_back(record);
    } else {
      open.emplace(as_text(record.payload));
    }
  }
  auto after = stream_->source({});
  const Status status = after->assign(progress_of(start, done).positions());
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(payloads(read(*after, open.size())), open);
  EXPECT_EQ(after->poll(kBrief).value().state, PollState::kIdle);
}

TEST_P(StreamContract, NoPartitionStarvesAnother) {
  publish(0, 200);
  auto source = assigned_source();
  const auto bounds = source->bounds().value();
  std::map<std::int32_t, int> served;
  // All partitions hold records: strict turns would bring each of them at
  // every `partitions`-th poll. Streams that prefetch may differ at first.
  for (const Record& record : read(*source, 200)) {
    ++served[record.address.partition];
  }
  for (const PartitionBounds& each : bounds) {
    EXPECT_EQ(served[each.partition], each.end - each.begin);
  }
}

TEST_P(StreamContract, OnePartitionCanBePolledByItself) {
  publish(0, 40);
  auto source = assigned_source();
  const auto all_bounds = source->bounds().value();
  for (const PartitionBounds& each : all_bounds) {
    for (std::int64_t offset = each.begin; offset < each.end; ++offset) {
      auto polled = source->poll_partition(each.partition, kPatience);
      ASSERT_TRUE(polled.ok()) << polled.error().message;
      ASSERT_EQ(polled.value().state, PollState::kRecord);
      EXPECT_EQ(polled.value().record.address.partition, each.partition);
      EXPECT_EQ(polled.value().record.address.offset, offset);
    }
    const auto idle = source->poll_partition(each.partition, kBrief);
    ASSERT_TRUE(idle.ok());
    EXPECT_EQ(idle.value().state, PollState::kIdle);
  }
}

TEST_P(StreamContract, RanksShareThePartitionsWithoutOverlap) {
  publish(0, 60);
  std::multiset<std::string> all;
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    SourceOptions options;
    options.rank = rank;
    options.world = 2;
    auto source = stream_->source(options);
    const auto positions = from_start(*source);
    ASSERT_TRUE(source->assign(positions).ok());
    std::size_t mine = 0;
    const auto all_bounds = source->bounds().value();
    for (const PartitionBounds& each : all_bounds) {
      const bool own = each.partition % 2 == rank;
      mine += own ? static_cast<std::size_t>(each.end - each.begin) : 0U;
    }
    for (const Record& record : read(*source, mine)) {
      EXPECT_EQ(record.address.partition % 2, rank);
      all.emplace(as_text(record.payload));
    }
  }
  EXPECT_EQ(all, expected(0, 60));
}

TEST_P(StreamContract, APositionBeyondTheEndIsAnError) {
  publish(0, 10);
  auto source = stream_->source({});
  auto positions = from_start(*source);
  positions[0].next = source->bounds().value()[0].end + 7;
  const Status status = source->assign(positions);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
  EXPECT_NE(status.error().message.find("beyond the end"), std::string::npos)
      << status.error().message;
}

TEST_P(StreamContract, AnotherRecordAtTheFingerprintIsAnError) {
  publish(0, 30);
  auto before = assigned_source();
  const auto start = from_start(*before);
  auto positions = progress_of(start, read(*before, 30)).positions();
  positions[0].last->sha256 = std::string(64, '0');
  const Status status = stream_->source({})->assign(positions);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
  EXPECT_NE(status.error().message.find("made anew"), std::string::npos)
      << status.error().message;
}

TEST_P(StreamContract, OffsetsTakenByRetentionStopTheRunAndAreNamed) {
  publish(0, 40);
  auto source = stream_->source({});
  const auto positions = from_start(*source);
  const std::int64_t begin = positions[0].next;
  if (!stream_->drop_below(0, begin + 3)) {
    GTEST_SKIP() << "this kind of stream drops nothing at a test's wish";
  }
  const Status status = stream_->source({})->assign(positions);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
  EXPECT_NE(status.error().message.find("partition 0"), std::string::npos);
  EXPECT_NE(
      status.error().message.find(
          std::to_string(begin) + " to " + std::to_string(begin + 2)),
      std::string::npos)
      << status.error().message;
}

TEST_P(StreamContract, AGapIsJumpedAndToldWhenAllowed) {
  publish(0, 40);
  auto source = stream_->source({});
  const auto positions = from_start(*source);
  const std::int64_t begin = positions[0].next;
  if (!stream_->drop_below(0, begin + 3)) {
    GTEST_SKIP() << "this kind of stream drops nothing at a test's wish";
  }
  std::vector<OffsetRange> told;
  SourceOptions options;
  options.jump_gaps = true;
  options.on_gap = [&told](std::int32_t, std::int64_t from, std::int64_t to) {
    told.push_back({from, to});
  };
  auto jumper = stream_->source(options);
  const Status status = jumper->assign(positions);
  ASSERT_TRUE(status.ok()) << status.error().message;
  const auto polled = jumper->poll_partition(0, kPatience);
  ASSERT_TRUE(polled.ok()) << polled.error().message;
  EXPECT_EQ(polled.value().record.address.offset, begin + 3);
  EXPECT_EQ(told, (std::vector<OffsetRange>{{begin, begin + 2}}));
}

TEST_P(StreamContract, AStreamMadeAnewIsToldFromTheOldOne) {
  publish(0, 30);
  auto before = assigned_source();
  const auto start = from_start(*before);
  auto positions = progress_of(start, read(*before, 30)).positions();
  before.reset();
  sink_.reset();
  if (!stream_->make_anew()) {
    GTEST_SKIP() << "this kind of stream is not made anew by a test";
  }
  publish(100, 140);
  const Status status = stream_->source({})->assign(positions);
  ASSERT_FALSE(status.ok());
  EXPECT_TRUE(
      status.error().code == ErrorCode::kCorruption ||
      status.error().code == ErrorCode::kNotFound);
}

TEST_P(StreamContract, ARecordAboveTheLimitIsRefusedWithBothSizes) {
  auto sink = stream_->sink();
  OutRecord huge = out_record(0);
  huge.payload.assign((16U << 20U) + 1, 7);
  const Status status = sink->publish(std::move(huge));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(status.error().message.find("16777217"), std::string::npos);
  EXPECT_NE(status.error().message.find("16777216"), std::string::npos);
  // The refusal leaves the sink usable.
  publish(0, 1);
}

TEST_P(StreamContract, CloseWakesABlockedPoll) {
  auto source = assigned_source();
  Result<Polled> outcome = Polled{};
  Stage poller("poller", [&](std::stop_token) {
    do {
      outcome = source->poll(kPatience);
    } while (outcome.ok());
  });
  const auto since = std::chrono::steady_clock::now();
  source->close();
  poller.join();
  EXPECT_EQ(outcome.error().code, ErrorCode::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - since, kPatience / 2);
  EXPECT_EQ(source->poll(kBrief).error().code, ErrorCode::kCancelled);
}

TEST_P(StreamContract, AClosedSinkTakesNothing) {
  auto sink = stream_->sink();
  ASSERT_TRUE(sink->publish(out_record(0)).ok());
  sink->close();
  const Status status = sink->publish(out_record(1));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
}

}  // namespace swavd::ingest::testing
