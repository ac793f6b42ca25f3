#include "ingest/log/log_sink.h"

#include <atomic>
#include <future>
#include <set>
#include <string>

#include <unistd.h>

#include "ops/base/bounded_queue.h"
#include "ops/base/files.h"
#include "tests/ingest/log/log_test_kit.h"

namespace swavd::ingest::testing {
namespace {

/// A sink whose disk has as much room as the test says.
std::unique_ptr<Sink> sink_with_disk(
    const StreamUrl& url,
    const SinkOptions& options,
    const std::atomic<std::uint64_t>& free) {
  const LogPaths paths = log_paths(url).value();
  LogWriterOptions writer_options;
  writer_options.partitions = options.partitions;
  auto writer = LogWriter::open(paths, writer_options);
  EXPECT_TRUE(writer.ok());
  LogSinkSurroundings surroundings = real_surroundings();
  surroundings.free_bytes = [&free](const std::filesystem::path&) {
    return Result<std::uint64_t>(free.load());
  };
  surroundings.retry = std::chrono::milliseconds(5);
  return std::make_unique<LogSink>(
      std::move(writer).value(), paths, options, surroundings);
}

void write_progress(Source& source, std::int64_t next) {
  auto positions = start_positions(source);
  for (Position& position : positions) {
    position.next = next;
  }
  source.publish_progress(positions);
}

TEST(PartitionOf, IsFixedForEver) {
  // The first eight bytes of each SHA-256, little-endian, by Python.
  EXPECT_EQ(partition_of("k1", 8), 2);
  EXPECT_EQ(partition_of("k1", 3), 1);
  EXPECT_EQ(partition_of("abc", 1000), 874);
}

TEST(LogSink, KeylessRecordsTakeTurns) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), partitions(3));
  for (int i = 0; i < 9; ++i) {
    must_publish(*sink, out_record("", "x"));
  }
  must_flush(*sink);
  auto source = must_open_source(folder.url());
  const auto bounds = source->bounds().value();
  for (const PartitionBounds& each : bounds) {
    EXPECT_EQ(each.end, 3);
  }
}

TEST(LogSink, RefusesASecondWriterAndNamesTheFirst) {
  const ScratchFolder folder;
  auto first = must_open_sink(folder.url(), partitions(1));
  const auto second = open_log_sink(folder.url(), partitions(1));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(
      second.error().message.find("process " + std::to_string(::getpid())),
      std::string::npos)
      << second.error().message;
}

TEST(LogSink, ReopeningContinuesTheOffsetsAndKeepsThePartitions) {
  const ScratchFolder folder;
  for (int round = 0; round < 3; ++round) {
    // The number of partitions is fixed by whoever makes the stream.
    auto sink = must_open_sink(folder.url(), partitions(2 + round));
    for (int i = 0; i < 10; ++i) {
      must_publish(*sink, out_record("", std::to_string(round * 10 + i)));
    }
    must_flush(*sink);
  }
  auto source = must_open_source(folder.url());
  const auto bounds = source->bounds().value();
  ASSERT_EQ(bounds.size(), 2U);
  EXPECT_EQ(bounds[0].end, 15);
  EXPECT_EQ(bounds[1].end, 15);
  assign_all(*source);
  std::set<std::string> payloads;
  for (const Record& record : take_records(*source, 30)) {
    payloads.emplace(as_text(record.payload));
  }
  EXPECT_EQ(payloads.size(), 30U);
}

TEST(LogSink, ClosingWritesWhatIsBuffered) {
  const ScratchFolder folder;
  {
    auto sink = must_open_sink(folder.url(), partitions(1));
    for (int i = 0; i < 100; ++i) {
      must_publish(*sink, out_record("k", "x"));
    }
  }
  EXPECT_EQ(must_open_source(folder.url())->bounds().value()[0].end, 100);
}

TEST(LogSink, AnUnfinishedStreamIsMadeWhole) {
  const ScratchFolder folder;
  // What a writer leaves that dies between making the column families and
  // writing what the stream is.
  const LogPaths paths = log_paths(folder.url()).value();
  ASSERT_TRUE(make_folders(paths.wal).ok());
  {
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    ASSERT_TRUE(rocksdb::DB::Open(
                    writer_db_options(paths, 2, {}),
                    paths.database,
                    log_families(2, {}),
                    &handles,
                    &db)
                    .ok());
    const LogTables tables(std::unique_ptr<rocksdb::DB>(db), handles);
  }
  const auto early = open_log_source(folder.url(), {});
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, ErrorCode::kNotFound);
  auto sink = must_open_sink(folder.url(), partitions(4));
  EXPECT_EQ(must_open_source(folder.url())->bounds().value().size(), 4U);
}

TEST(LogSink, LeavesAnotherKindOfDatabaseAlone) {
  const ScratchFolder folder;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, folder.path() / "images", &db).ok());
  rocksdb::ColumnFamilyHandle* other = nullptr;
  ASSERT_TRUE(db->CreateColumnFamily({}, "snapshots", &other).ok());
  ASSERT_TRUE(db->DestroyColumnFamilyHandle(other).ok());
  delete db;
  const auto sink = open_log_sink(folder.url(), partitions(1));
  ASSERT_FALSE(sink.ok());
  EXPECT_EQ(sink.error().code, ErrorCode::kInvalidArgument);
}

TEST(LogSink, RefusesARetentionThatCannotHoldOneRecord) {
  const ScratchFolder folder;
  SinkOptions options = partitions(8);
  options.retention_bytes = 64U << 20U;
  const auto sink = open_log_sink(folder.url(), options);
  ASSERT_FALSE(sink.ok());
  EXPECT_EQ(sink.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(sink.error().message.find("268435456"), std::string::npos)
      << sink.error().message;
}

TEST(LogSink, AFullDiskHoldsRecordsBackAndIsToldOnce) {
  const ScratchFolder folder;
  std::atomic<std::uint64_t> free = kDiskReserveBytes;
  BoundedQueue<std::string> told(16);
  SinkOptions options = partitions(1);
  options.events.on_error = [&](std::string_view reason, std::string_view) {
    (void)told.push(std::string(reason));
  };
  auto sink = sink_with_disk(folder.url(), options, free);
  must_publish(*sink, out_record("k", "held back"));
  EXPECT_EQ(told.pop(), "disk_full");
  const Status early = sink->flush(kShort);
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, ErrorCode::kUnavailable);
  auto source = must_open_source(folder.url());
  EXPECT_EQ(source->bounds().value()[0].end, 0);
  free = 2 * kDiskReserveBytes;
  must_flush(*sink);
  EXPECT_EQ(source->bounds().value()[0].end, 1);
  EXPECT_EQ(told.stats().pushed, 1U);
}

TEST(LogSink, ClosingOnAFullDiskSaysWhatIsLost) {
  const ScratchFolder folder;
  std::atomic<std::uint64_t> free = 0;
  auto sink = sink_with_disk(folder.url(), partitions(1), free);
  must_publish(*sink, out_record("k", "lost"));
  sink->close();
  const Status flushed = sink->flush(kPatient);
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(flushed.error().code, ErrorCode::kExhausted);
  EXPECT_NE(flushed.error().message.find("1 records"), std::string::npos)
      << flushed.error().message;
}

TEST(LogSink, AFullBufferBlocksPublishersUntilClose) {
  const ScratchFolder folder;
  std::atomic<std::uint64_t> free = 0;  // nothing ever leaves the buffer
  SinkOptions options = partitions(1);
  options.buffer_bytes = 1000;
  auto sink = sink_with_disk(folder.url(), options, free);
  must_publish(*sink, out_record("k", std::string(900, 'a')));
  auto blocked = std::async(std::launch::async, [&] {
    return sink->publish(out_record("k", std::string(900, 'b')));
  });
  EXPECT_EQ(blocked.wait_for(kShort), std::future_status::timeout);
  sink->close();
  EXPECT_EQ(blocked.get().error().code, ErrorCode::kCancelled);
}

TEST(LogSink, StaysWithinReachOfTheSlowestReader) {
  const ScratchFolder folder;
  SinkOptions options = partitions(1);
  options.max_ahead_records = 10;
  auto sink = must_open_sink(folder.url(), options);
  // Without any reader the start of the stream is the bound.
  for (int i = 0; i < 10; ++i) {
    must_publish(*sink, out_record("k", "x"));
  }
  auto blocked = std::async(std::launch::async, [&] {
    return sink->publish(out_record("k", "eleventh"));
  });
  EXPECT_EQ(blocked.wait_for(kShort), std::future_status::timeout);
  SourceOptions slow_options;
  slow_options.run = "slow";
  auto slow = must_open_source(folder.url(), slow_options);
  SourceOptions fast_options;
  fast_options.run = "fast";
  auto fast = must_open_source(folder.url(), fast_options);
  write_progress(*slow, 0);
  write_progress(*fast, 10);
  EXPECT_EQ(blocked.wait_for(kShort), std::future_status::timeout);
  write_progress(*slow, 1);
  EXPECT_TRUE(blocked.get().ok());
  must_flush(*sink);
  EXPECT_EQ(slow->bounds().value()[0].end, 11);
}

TEST(LogSink, AReaderOfAStreamOfTheSameNameBeforeIsNoBound) {
  const ScratchFolder folder;
  { auto old = must_open_sink(folder.url(), partitions(1)); }
  write_progress(*must_open_source(folder.url()), 1000);
  std::filesystem::remove_all(folder.path() / "images");
  SinkOptions options = partitions(1);
  options.max_ahead_records = 1;
  auto sink = must_open_sink(folder.url(), options);
  must_publish(*sink, out_record("k", "x"));
  auto blocked = std::async(
      std::launch::async, [&] { return sink->publish(out_record("k", "y")); });
  EXPECT_EQ(blocked.wait_for(kShort), std::future_status::timeout);
  sink->close();
  EXPECT_FALSE(blocked.get().ok());
}

TEST(LogSink, AnUnreadableReaderFileIsToldAndLeftOut) {
  const ScratchFolder folder;
  BoundedQueue<std::string> told(16);
  SinkOptions options = partitions(1);
  options.max_ahead_records = 1;
  options.events.on_error = [&](std::string_view reason, std::string_view) {
    (void)told.push(std::string(reason));
  };
  const auto readers = folder.path() / "images.readers";
  ASSERT_TRUE(make_folders(readers).ok());
  ASSERT_TRUE(write_file_durably(readers / "broken.json", as_bytes("{}")).ok());
  auto sink = must_open_sink(folder.url(), options);
  must_publish(*sink, out_record("k", "x"));
  auto blocked = std::async(
      std::launch::async, [&] { return sink->publish(out_record("k", "y")); });
  EXPECT_EQ(told.pop(), "reader_file_unreadable");
  write_progress(*must_open_source(folder.url()), 1);
  EXPECT_TRUE(blocked.get().ok());
}

TEST(LogSink, DeadLettersHaveStreamsOfTheirOwn) {
  const ScratchFolder folder;
  auto sink = must_open_sink(folder.url(), partitions(1));
  auto dead0 = must_open_sink(dead_letter_url(folder.url(), 0), partitions(1));
  auto dead1 = must_open_sink(dead_letter_url(folder.url(), 1), partitions(1));
  must_publish(*dead1, out_record("k", "not an image"));
  must_flush(*dead1);
  auto source = must_open_source(dead_letter_url(folder.url(), 1));
  assign_all(*source);
  const auto records = take_records(*source, 1);
  EXPECT_EQ(as_text(records.at(0).payload), "not an image");
}

TEST(LogPaths, KeepATopicInItsFolder) {
  StreamUrl url;
  url.folder = "/srv/streams";
  for (const char* topic :
       {"",
        "../images",
        "a/../b",
        "/etc",
        "a/.",
        "x.lock",
        "images.readers/main"}) {
    url.topic = topic;
    const auto paths = log_paths(url);
    ASSERT_FALSE(paths.ok()) << topic;
    EXPECT_EQ(paths.error().code, ErrorCode::kInvalidArgument);
  }
  url.topic = "images.dead/0";
  EXPECT_EQ(
      log_paths(url).value().readers, "/srv/streams/images.dead/0.readers");
}

}  // namespace
}  // namespace swavd::ingest::testing
