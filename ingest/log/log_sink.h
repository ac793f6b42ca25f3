#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/log/ahead_limit.h"
#include "ingest/log/log_paths.h"
#include "ingest/log/log_writer.h"
#include "ingest/sink.h"
#include "ingest/streams.h"
#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/base/result.h"
#include "ops/base/stage.h"

namespace swavd::ingest {

/// What a LogSink takes from its surroundings, so that tests own it.
struct LogSinkSurroundings {
  std::shared_ptr<const Clock> clock;  ///< shared: sinks outlive their opener
  /// Bytes free where the stream lies.
  std::function<Result<std::uint64_t>(const std::filesystem::path&)> free_bytes;
  /// How often a full disk or a slow reader is looked at again.
  std::chrono::milliseconds retry{50};
};

/// The machine's clock and disk.
[[nodiscard]] LogSinkSurroundings real_surroundings();

/// The partition of a record with `key` among `partitions`: the first eight
/// bytes of the key's SHA-256, little-endian, modulo their number. Stable for
/// ever: which records share a partition is part of the stream.
[[nodiscard]] std::int32_t partition_of(
    std::string_view key,
    std::int32_t partitions);

/// Sink of an embedded stream. Publishers put records into a bounded buffer;
/// one thread writes what has gathered there as one synced batch (the longer
/// a sync takes, the more share it) and then shows it to readers.
///
/// Thread-safe. A write error is final: it is reported by every later call
/// until the stream is opened again.
class LogSink final : public Sink {
 public:
  LogSink(
      std::unique_ptr<LogWriter> writer,
      LogPaths paths,
      SinkOptions options,
      LogSinkSurroundings surroundings);

  /// Writes what is still buffered, unless the disk is full.
  ~LogSink() override;

  [[nodiscard]] Status publish(OutRecord record) override;
  [[nodiscard]] Status flush(std::chrono::milliseconds timeout) override;
  void close() override;

 private:
  [[nodiscard]] std::int32_t choose_partition(const std::string& key)
      SWAVD_EXCLUDES(mutex_);
  [[nodiscard]] Status check_size(const OutRecord& record) const;
  [[nodiscard]] Status admit(std::uint64_t bytes) SWAVD_REQUIRES(mutex_);
  [[nodiscard]] bool has_room(std::uint64_t bytes) const SWAVD_REQUIRES(mutex_);
  [[nodiscard]] bool over() const SWAVD_REQUIRES(mutex_);
  [[nodiscard]] bool within_limit() SWAVD_REQUIRES(mutex_);
  void look_at_readers() SWAVD_REQUIRES(mutex_);
  void tell_long_wait() SWAVD_REQUIRES(mutex_);

  void write_batches() SWAVD_EXCLUDES(mutex_);
  [[nodiscard]] std::vector<StoredRecord> take_batch() SWAVD_EXCLUDES(mutex_);
  [[nodiscard]] Status write_batch(const std::vector<StoredRecord>& batch)
      SWAVD_EXCLUDES(mutex_);
  [[nodiscard]] Status wait_for_disk(std::uint64_t batch_bytes)
      SWAVD_EXCLUDES(mutex_);
  void acknowledge(const std::vector<StoredRecord>& batch)
      SWAVD_EXCLUDES(mutex_);
  void fail(const Error& error) SWAVD_EXCLUDES(mutex_);
  void report(std::string_view reason, const std::string& text) const;

  const SinkOptions options_;
  const LogSinkSurroundings surroundings_;
  const LogPaths paths_;
  const std::unique_ptr<LogWriter> writer_;  // used by the writing thread

  Mutex mutex_;
  CondVar room_;     // publishers: room in the buffer, or over
  CondVar pending_;  // the writing thread: something to write, or time to end
  CondVar done_;     // flushers: more is acknowledged, or failed
  std::deque<StoredRecord> queue_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t buffered_bytes_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::uint64_t published_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::uint64_t acknowledged_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::uint64_t keyless_ SWAVD_GUARDED_BY(mutex_) = 0;
  /// Next offset of each partition once the queue is written.
  std::vector<std::int64_t> next_ SWAVD_GUARDED_BY(mutex_);
  /// The same for what is acknowledged.
  std::vector<std::int64_t> written_ SWAVD_GUARDED_BY(mutex_);
  AheadLimit limit_ SWAVD_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point looked_ SWAVD_GUARDED_BY(mutex_);
  /// Since when the readers have kept publishers waiting.
  std::optional<std::chrono::steady_clock::time_point> held_since_
      SWAVD_GUARDED_BY(mutex_);
  bool held_told_ SWAVD_GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ SWAVD_GUARDED_BY(mutex_);
  bool closed_ SWAVD_GUARDED_BY(mutex_) = false;

  Stage thread_;  // last: gone before what it uses
};

}  // namespace swavd::ingest
