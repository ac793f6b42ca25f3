#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/log/folder_watch.h"
#include "ingest/log/log_connection.h"
#include "ingest/log/log_cursors.h"
#include "ingest/log/log_paths.h"
#include "ingest/log/log_reader.h"
#include "ingest/source.h"
#include "ingest/streams.h"
#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Source over an embedded stream. Records are read one at a time, when they
/// are asked for: what is read ahead is the kernel's page cache, so
/// `prefetch_bytes` is not needed. Waiting for new records costs nothing: the
/// writer's logs are watched.
///
/// `assign`, `poll`, `bounds` and the like may be called from several threads;
/// they take turns.
class LogSource final : public Source {
 public:
  /// Errors: kNotFound (no such stream), kInvalidArgument (a run or topic
  /// that cannot name a file), kExhausted (no watch to be had), kCorruption,
  /// kIo.
  [[nodiscard]] static Result<std::unique_ptr<LogSource>> open(
      const StreamUrl& url,
      const SourceOptions& options);

  [[nodiscard]] Result<std::string> stream_id() override;

  [[nodiscard]] const std::string& topic() const override { return topic_; }

  [[nodiscard]] Result<std::vector<PartitionBounds>> bounds() override;
  [[nodiscard]] Result<std::vector<PartitionBounds>> resolve_start(
      StartPoint start) override;
  [[nodiscard]] Status assign(const std::vector<Position>& positions) override;
  [[nodiscard]] Result<Polled> poll(std::chrono::milliseconds timeout) override;
  [[nodiscard]] Result<Polled> poll_partition(
      std::int32_t partition,
      std::chrono::milliseconds timeout) override;

  /// Writes `<topic>.readers/<run>.json`, which writers with
  /// `max_ahead_records` wait for; errors go to `events.on_error`. A run calls
  /// it as soon as it knows where it starts.
  void publish_progress(const std::vector<Position>& positions) override;

  void close() override;

 private:
  LogSource(
      std::string topic,
      std::filesystem::path progress_file,
      SourceOptions options,
      std::unique_ptr<FolderWatch> watch,
      LogPaths paths,
      std::unique_ptr<LogReader> reader);

  [[nodiscard]] Result<Polled> poll_cursors(
      std::optional<std::int32_t> only,
      std::chrono::milliseconds timeout) SWAVD_EXCLUDES(mutex_);
  [[nodiscard]] Result<std::optional<Record>> take_or_follow(
      std::optional<std::int32_t> only) SWAVD_EXCLUDES(mutex_);
  void tell_jumps() SWAVD_EXCLUDES(mutex_);
  void wait_for_change(std::chrono::milliseconds timeout)
      SWAVD_EXCLUDES(mutex_);

  [[nodiscard]] Status check_fits(const Position& position)
      SWAVD_REQUIRES(mutex_);
  [[nodiscard]] Result<PartitionBounds> start_of(
      std::int32_t partition,
      StartPoint start) SWAVD_REQUIRES(mutex_);

  const std::string topic_;
  const std::filesystem::path progress_file_;
  const SourceOptions options_;
  const SystemClock clock_;
  const std::unique_ptr<FolderWatch> watch_;
  const std::string database_id_;
  std::atomic<bool> closed_ = false;

  Mutex mutex_;
  LogConnection connection_ SWAVD_GUARDED_BY(mutex_);
  LogCursors cursors_ SWAVD_GUARDED_BY(mutex_);

  Mutex progress_mutex_;  // one writer of the progress file at a time
};

}  // namespace swavd::ingest
