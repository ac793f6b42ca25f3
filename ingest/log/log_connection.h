#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "ingest/log/folder_watch.h"
#include "ingest/log/log_paths.h"
#include "ingest/log/log_reader.h"
#include "ops/base/clock.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// A LogReader that is opened anew after an error, and makes sure that it is
/// still the same stream then.
///
/// Not thread-safe.
class LogConnection {
 public:
  /// `watch` must outlive the connection.
  LogConnection(
      LogPaths paths,
      std::unique_ptr<LogReader> reader,
      FolderWatch& watch);

  [[nodiscard]] const std::string& id() const { return id_; }

  [[nodiscard]] std::int32_t partitions() const { return partitions_; }

  [[nodiscard]] const LogPaths& paths() const { return paths_; }

  /// Null while an outage lasts; until the next call of `follow` or `settle`.
  [[nodiscard]] LogReader* reader() { return reader_.get(); }

  /// Catches up with the writer; false while an outage lasts that was told
  /// before. Errors: kUnavailable (the beginning of an outage), kCorruption
  /// (every time; another stream lies there, or what lies there is damaged).
  [[nodiscard]] Result<bool> follow();

  /// As `LogReader::settle`. Errors: those of the reader, kNotFound.
  [[nodiscard]] Status settle();

  /// Whether `follow` met an outage that lasts.
  [[nodiscard]] bool outage() const { return outage_; }

  /// When `follow` last caught up.
  [[nodiscard]] std::chrono::steady_clock::time_point followed() const {
    return followed_;
  }

 private:
  [[nodiscard]] Status refresh();
  [[nodiscard]] Status reopen();

  const LogPaths paths_;
  const std::string id_;
  const std::int32_t partitions_;
  const SystemClock clock_;
  FolderWatch& watch_;
  std::unique_ptr<LogReader> reader_;
  bool outage_ = false;
  std::chrono::steady_clock::time_point followed_;
};

}  // namespace swavd::ingest
