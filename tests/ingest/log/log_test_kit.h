#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "ingest/log/log_stream.h"
#include "ingest/position.h"
#include "ingest/sink.h"
#include "ingest/source.h"
#include "ops/base/bytes.h"

namespace swavd::ingest::testing {

/// Long enough for a slow machine: no test waits for it unless it fails.
inline constexpr std::chrono::milliseconds kPatient{30000};
/// A wait that is meant to run out.
inline constexpr std::chrono::milliseconds kShort{20};

/// A folder that goes with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = ::testing::TempDir() + "log-stream-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }

  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] StreamUrl url(std::string topic = "images") const {
    StreamUrl url;
    url.kind = StreamUrl::Kind::kLog;
    url.folder = path_;
    url.topic = std::move(topic);
    return url;
  }

 private:
  std::filesystem::path path_;
};

inline ByteVector bytes_of(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

inline OutRecord out_record(std::string key, std::string_view payload) {
  OutRecord record;
  record.key = std::move(key);
  record.payload = bytes_of(payload);
  record.timestamp_ms = 1700000000000;
  return record;
}

inline std::unique_ptr<Sink> must_open_sink(
    const StreamUrl& url,
    const SinkOptions& options) {
  auto sink = open_log_sink(url, options);
  EXPECT_TRUE(sink.ok()) << (sink.ok() ? "" : sink.error().message);
  return std::move(sink).value();
}

inline std::unique_ptr<Source> must_open_source(
    const StreamUrl& url,
    const SourceOptions& options = {}) {
  auto source = open_log_source(url, options);
  EXPECT_TRUE(source.ok()) << (source.ok() ? "" : source.error().message);
  return std::move(source).value();
}

inline SinkOptions partitions(std::int32_t count) {
  SinkOptions options;
  options.partitions = count;
  return options;
}

inline void must_publish(Sink& sink, OutRecord record) {
  const Status status = sink.publish(std::move(record));
  ASSERT_TRUE(status.ok()) << status.error().message;
}

inline void must_flush(Sink& sink) {
  const Status status = sink.flush(kPatient);
  ASSERT_TRUE(status.ok()) << status.error().message;
}

inline std::vector<Position> start_positions(Source& source) {
  std::vector<Position> positions;
  const auto bounds = source.bounds();
  EXPECT_TRUE(bounds.ok()) << (bounds.ok() ? "" : bounds.error().message);
  for (const PartitionBounds& each : bounds.value()) {
    Position position;
    position.topic = source.topic();
    position.partition = each.partition;
    position.start = position.next = each.begin;
    positions.push_back(position);
  }
  return positions;
}

inline void assign_all(Source& source) {
  const Status status = source.assign(start_positions(source));
  ASSERT_TRUE(status.ok()) << status.error().message;
}

/// The next `count` records; fewer, with a failure, when they do not come.
inline std::vector<Record> take_records(Source& source, std::size_t count) {
  std::vector<Record> records;
  while (records.size() < count) {
    auto polled = source.poll(kPatient);
    if (!polled.ok() || polled.value().state != PollState::kRecord) {
      ADD_FAILURE() << records.size() << " of " << count << " records came: "
                    << (polled.ok() ? "idle" : polled.error().message);
      break;
    }
    records.push_back(std::move(polled).value().record);
  }
  return records;
}

inline bool is_idle(Source& source) {
  const auto polled = source.poll(kShort);
  EXPECT_TRUE(polled.ok()) << (polled.ok() ? "" : polled.error().message);
  return polled.ok() && polled.value().state == PollState::kIdle;
}

}  // namespace swavd::ingest::testing
