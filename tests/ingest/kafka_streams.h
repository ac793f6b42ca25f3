#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ingest/kafka/kafka_stream.h"
#include "ops/base/bytes.h"

namespace swavd::ingest::testing {

inline std::unique_ptr<Source> opened_source(
    const StreamUrl& url,
    const SourceOptions& options = {}) {
  auto source = open_kafka_source(url, options);
  EXPECT_TRUE(source.ok()) << source.error().message;
  return std::move(source).value();
}

inline std::unique_ptr<Sink> opened_sink(
    const StreamUrl& url,
    const SinkOptions& options = {}) {
  auto sink = open_kafka_sink(url, options);
  EXPECT_TRUE(sink.ok()) << sink.error().message;
  return std::move(sink).value();
}

inline std::vector<Position> positions_from_start(Source& source) {
  const auto start = source.resolve_start({});
  EXPECT_TRUE(start.ok()) << start.error().message;
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

/// A source that reads everything from the start.
inline std::unique_ptr<Source> reading_source(
    const StreamUrl& url,
    const SourceOptions& options = {}) {
  auto source = opened_source(url, options);
  const Status status = source->assign(positions_from_start(*source));
  EXPECT_TRUE(status.ok()) << status.error().message;
  return source;
}

inline OutRecord text_record(const std::string& text) {
  OutRecord record;
  record.key = text;
  record.payload.assign(text.begin(), text.end());
  return record;
}

/// Publishes the numbers [first, end) as texts; does not flush.
inline void publish_numbers(Sink& sink, int first, int end) {
  for (int i = first; i < end; ++i) {
    const Status status = sink.publish(text_record(std::to_string(i)));
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
}

/// Reads `count` records; waits out an outage, fails on another error.
inline std::vector<Record> read_through(Source& source, std::size_t count) {
  std::vector<Record> records;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (records.size() < count) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "only " << records.size() << " of " << count;
      break;
    }
    auto polled = source.poll(std::chrono::milliseconds(1000));
    if (polled.ok() && polled.value().state == PollState::kRecord) {
      records.push_back(std::move(polled).value().record);
    } else if (!polled.ok() && polled.error().code != ErrorCode::kUnavailable) {
      ADD_FAILURE() << polled.error().message;
      break;
    }
  }
  return records;
}

inline std::vector<std::string> texts_of(const std::vector<Record>& records) {
  std::vector<std::string> texts;
  for (const Record& record : records) {
    texts.emplace_back(as_text(record.payload));
  }
  return texts;
}

inline std::vector<std::string> numbers(int first, int end) {
  std::vector<std::string> texts;
  for (int i = first; i < end; ++i) {
    texts.push_back(std::to_string(i));
  }
  return texts;
}

}  // namespace swavd::ingest::testing
