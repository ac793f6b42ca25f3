#include "ingest/log/log_source.h"

#include <map>
#include <set>
#include <string>

#include "ingest/log/envelope.h"
#include "ingest/log/log_writer.h"
#include "ops/base/stage.h"
#include "tests/ingest/log/log_test_kit.h"

namespace swavd::ingest::testing {
namespace {

StoredRecord stored(std::int32_t partition, std::string_view payload) {
  const OutRecord record = out_record("k", payload);
  return {partition, encode_head(record), record.payload};
}

std::unique_ptr<LogWriter> must_open_writer(
    const StreamUrl& url,
    std::int32_t count) {
  LogWriterOptions options;
  options.partitions = count;
  auto writer = LogWriter::open(log_paths(url).value(), options);
  EXPECT_TRUE(writer.ok()) << (writer.ok() ? "" : writer.error().message);
  return std::move(writer).value();
}

/// One partition that keeps about 1 MiB in tables of 256 KiB.
SinkOptions small_retention() {
  SinkOptions options = partitions(1);
  options.retention_bytes = 1U << 20U;
  options.max_record_bytes = 64U << 10U;
  return options;
}

/// Publishes until retention has taken what lies below `offset`.
void publish_until_gone(Sink& sink, Source& watcher, std::int64_t offset) {
  const std::string payload(16U << 10U, 'x');
  while (watcher.bounds().value()[0].begin <= offset) {
    for (int i = 0; i < 32; ++i) {
      must_publish(sink, out_record("k", payload));
    }
    must_flush(sink);
  }
}

TEST(LogSource, AStreamThatNobodyMadeIsNotFound) {
  const ScratchFolder folder;
  const auto source = open_log_source(folder.url(), {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code, ErrorCode::kNotFound);
}

TEST(LogSource, ARunMustBeAFileName) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), partitions(1));
  SourceOptions options;
  options.run = "../main";
  const auto source = open_log_source(folder.url(), options);
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code, ErrorCode::kInvalidArgument);
}

TEST(LogSource, ServesNothingThatIsNotYetDurable) {
  const ScratchFolder folder;
  auto writer = must_open_writer(folder.url(), 1);
  auto source = must_open_source(folder.url());
  assign_all(*source);
  const std::vector<StoredRecord> batch = {stored(0, "a"), stored(0, "b")};
  ASSERT_TRUE(writer->append(batch).ok());
  // The records lie in the database, where a secondary sees them.
  auto reader = LogReader::open(log_paths(folder.url()).value());
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(reader.value()->exists(0, 1).value());
  EXPECT_TRUE(is_idle(*source));
  EXPECT_EQ(source->bounds().value()[0].end, 0);
  ASSERT_TRUE(writer->mark_durable().ok());
  EXPECT_EQ(take_records(*source, 2).size(), 2U);
}

TEST(LogSource, ConsumedRecordsWhoseMarkWasLostAreNotBeyondTheEnd) {
  const ScratchFolder folder;
  auto writer = must_open_writer(folder.url(), 1);
  const std::vector<StoredRecord> batch = {stored(0, "a"), stored(0, "b")};
  // What a power cut between the sync and the next one leaves.
  ASSERT_TRUE(writer->append(batch).ok());
  auto source = must_open_source(folder.url());
  auto positions = start_positions(*source);
  positions[0].next = 2;
  ASSERT_TRUE(source->assign(positions).ok());
  EXPECT_TRUE(is_idle(*source));
  writer.reset();
  writer = must_open_writer(folder.url(), 1);
  ASSERT_TRUE(writer->append({{stored(0, "c")}}).ok());
  ASSERT_TRUE(writer->mark_durable().ok());
  const auto records = take_records(*source, 1);
  EXPECT_EQ(as_text(records.at(0).payload), "c");
  EXPECT_EQ(records[0].address.offset, 2);
}

TEST(LogSource, FollowsAWriterThroughItsRestarts) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), partitions(2));
  auto source = must_open_source(folder.url());
  assign_all(*source);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 20; ++i) {
      must_publish(*sink, out_record("", std::to_string(round)));
    }
    must_flush(*sink);
    for (const Record& record : take_records(*source, 20)) {
      EXPECT_EQ(as_text(record.payload), std::to_string(round));
    }
    sink.reset();
    sink = must_open_sink(folder.url(), partitions(2));
  }
  EXPECT_TRUE(is_idle(*source));
}

TEST(LogSource, ReadsWhileAnotherThreadWrites) {
  const ScratchFolder folder;
  // Tables of 1 MiB: the reader meets many of them being made.
  SinkOptions options = partitions(3);
  options.retention_bytes = 3 * (64U << 20U);
  options.max_record_bytes = 1U << 20U;
  auto sink = must_open_sink(folder.url(), options);
  auto source = must_open_source(folder.url());
  assign_all(*source);
  constexpr std::size_t kRecords = 2000;
  const Stage writer("writer", [&](const std::stop_token&) {
    for (std::size_t i = 0; i < kRecords; ++i) {
      must_publish(
          *sink,
          out_record(
              std::to_string(i),
              std::string(4000 + i % 7 * 1000, 'p') + std::to_string(i)));
    }
    must_flush(*sink);
  });
  std::map<std::int32_t, std::int64_t> next;
  for (const Record& record : take_records(*source, kRecords)) {
    EXPECT_EQ(record.address.offset, next[record.address.partition]++);
    EXPECT_EQ(
        as_text(record.payload)
            .substr(record.payload.size() - record.key.size()),
        record.key);
  }
  EXPECT_TRUE(is_idle(*source));
}

TEST(LogSource, RetentionThatOvertakesAReaderStopsItWithTheGap) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), small_retention());
  must_publish(*sink, out_record("k", "first"));
  must_publish(*sink, out_record("k", "second"));
  must_flush(*sink);
  auto source = must_open_source(folder.url());
  assign_all(*source);
  EXPECT_EQ(take_records(*source, 1).size(), 1U);
  publish_until_gone(*sink, *source, 5);
  const auto polled = source->poll(kPatient);
  ASSERT_FALSE(polled.ok());
  EXPECT_EQ(polled.error().code, ErrorCode::kNotFound);
  EXPECT_NE(polled.error().message.find("offsets 1 to"), std::string::npos)
      << polled.error().message;
}

TEST(LogSource, AReaderThatMayJumpCrossesRetentionWithCleanGaps) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), small_retention());
  must_publish(*sink, out_record("k", "first"));
  must_publish(*sink, out_record("k", "second"));
  must_flush(*sink);
  std::vector<OffsetRange> gaps;
  SourceOptions options;
  options.jump_gaps = true;
  options.on_gap = [&](std::int32_t, std::int64_t from, std::int64_t to) {
    gaps.push_back({from, to});
  };
  auto source = must_open_source(folder.url(), options);
  assign_all(*source);
  EXPECT_EQ(take_records(*source, 1).at(0).address.offset, 0);
  std::int64_t next = 1;
  for (int round = 0; round < 3; ++round) {
    publish_until_gone(*sink, *source, next + 5);
    const auto known = gaps.size();
    const Record record = take_records(*source, 1).at(0);
    ASSERT_EQ(gaps.size(), known + 1);
    EXPECT_EQ(gaps.back().first, next);
    EXPECT_EQ(gaps.back().last, record.address.offset - 1);
    next = record.address.offset + 1;
  }
}

TEST(LogSource, RetentionKeepsTheNewestRecords) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), small_retention());
  auto source = must_open_source(folder.url());
  const std::string payload(60000, 'x');
  // Twenty times what is kept, in batches as large as they come.
  PartitionBounds bounds;
  while (bounds.begin < 300) {
    for (int i = 0; i < 100; ++i) {
      must_publish(*sink, out_record("k", payload));
    }
    must_flush(*sink);
    bounds = source->bounds().value()[0];
    ASSERT_GT(bounds.end - bounds.begin, 5);
  }
}

TEST(LogSource, RetentionByAgeTakesOldTables) {
  const ScratchFolder folder;
  SinkOptions options = small_retention();
  options.retention_bytes = 64U << 20U;
  options.retention_age = std::chrono::seconds(1);
  auto sink = must_open_sink(folder.url(), options);
  auto source = must_open_source(folder.url());
  const std::string payload(6000, 'x');
  PartitionBounds bounds;
  while (bounds.begin == 0) {
    must_publish(*sink, out_record("k", payload));
    must_flush(*sink);
    bounds = source->bounds().value()[0];
    // By size nothing would go before this.
    ASSERT_LT(bounds.end, (64 << 20) / 6100);
  }
  EXPECT_LT(bounds.begin, bounds.end);
}

TEST(LogSource, AWriterGoesOnAfterRetentionWhereItStood) {
  const ScratchFolder folder;
  {
    auto sink = must_open_sink(folder.url(), small_retention());
    auto watcher = must_open_source(folder.url());
    publish_until_gone(*sink, *watcher, 5);
  }
  auto source = must_open_source(folder.url());
  const std::int64_t end = source->bounds().value()[0].end;
  auto sink = must_open_sink(folder.url(), small_retention());
  must_publish(*sink, out_record("k", "next"));
  must_flush(*sink);
  EXPECT_EQ(source->bounds().value()[0].end, end + 1);
}

TEST(LogSource, StartsAtATime) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), partitions(1));
  for (int i = 0; i < 100; ++i) {
    OutRecord record = out_record("k", std::to_string(i));
    record.timestamp_ms = 1000 + 10 * i;
    must_publish(*sink, std::move(record));
  }
  must_flush(*sink);
  auto source = must_open_source(folder.url());
  const auto begin_at = [&](std::int64_t time_ms) {
    return source->resolve_start({StartAt::kTime, time_ms}).value()[0].begin;
  };
  EXPECT_EQ(begin_at(0), 0);
  EXPECT_EQ(begin_at(1500), 50);
  EXPECT_EQ(begin_at(1501), 51);
  EXPECT_EQ(begin_at(5000), 100);
}

TEST(LogSource, FullPartitionsTakeTurns) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), partitions(3));
  for (int i = 0; i < 30; ++i) {
    must_publish(*sink, out_record("", "x"));
  }
  must_flush(*sink);
  auto source = must_open_source(folder.url());
  assign_all(*source);
  std::int32_t turn = 0;
  for (const Record& record : take_records(*source, 30)) {
    EXPECT_EQ(record.address.partition, turn++ % 3);
  }
}

TEST(LogSource, AStreamMadeAnewBeneathAReaderIsToldAsSuch) {
  const ScratchFolder folder;
  {
    auto sink = must_open_sink(folder.url(), partitions(1));
    must_publish(*sink, out_record("k", "old"));
  }
  auto source = must_open_source(folder.url());
  assign_all(*source);
  EXPECT_EQ(take_records(*source, 1).size(), 1U);
  std::filesystem::remove_all(folder.path() / "images");
  auto sink = must_open_sink(folder.url(), partitions(1));
  must_publish(*sink, out_record("k", "new"));
  must_flush(*sink);
  auto polled = source->poll(kPatient);
  // First an outage, if the files that were taken away are met before.
  while (polled.ok() || polled.error().code == ErrorCode::kUnavailable) {
    ASSERT_TRUE(!polled.ok() || polled.value().state == PollState::kIdle);
    polled = source->poll(kPatient);
  }
  EXPECT_EQ(polled.error().code, ErrorCode::kCorruption);
}

TEST(LogSource, RanksOfARunShareItsProgressFile) {
  const ScratchFolder folder;
  SinkOptions options = partitions(2);
  options.max_ahead_records = 4;
  auto sink = must_open_sink(folder.url(), options);
  for (int i = 0; i < 4; ++i) {
    must_publish(*sink, out_record("", "x"));
  }
  must_flush(*sink);
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    SourceOptions source_options;
    source_options.rank = rank;
    source_options.world = 2;
    auto source = must_open_source(folder.url(), source_options);
    auto positions = start_positions(*source);
    std::erase_if(positions, [&](const Position& position) {
      return position.partition != rank;
    });
    positions[0].next = 2;
    source->publish_progress(positions);
  }
  // Both ranks count: four more fit.
  for (int i = 0; i < 4; ++i) {
    must_publish(*sink, out_record("", "x"));
  }
  must_flush(*sink);
}

TEST(LogSource, AReaderPutsNothingIntoTheStreamsFolders) {
  const ScratchFolder folder;
  { auto sink = must_open_sink(folder.url(), partitions(1)); }
  const auto list = [&] {
    std::set<std::string> names;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(folder.path())) {
      names.insert(entry.path());
    }
    return names;
  };
  const auto before = list();
  auto source = must_open_source(folder.url());
  assign_all(*source);
  EXPECT_TRUE(is_idle(*source));
  EXPECT_EQ(list(), before);
}

}  // namespace
}  // namespace swavd::ingest::testing
