#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/log/log_paths.h"
#include "ingest/log/log_tables.h"
#include "ingest/record.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// The database of a stream as a reader sees it: a RocksDB secondary, which
/// follows the writer's files, takes no lock and changes nothing. Works
/// beside a writer in this or another process, and without any.
///
/// Not thread-safe.
class LogReader {
 public:
  /// Errors: kNotFound (no stream there, or its making is not finished),
  /// kCorruption, kIo.
  [[nodiscard]] static Result<std::unique_ptr<LogReader>> open(
      const LogPaths& paths);

  [[nodiscard]] const std::string& id() const { return meta_.id; }

  [[nodiscard]] std::int32_t partitions() const { return meta_.partitions; }

  /// Takes over what the writer has written since. One pass reads the
  /// manifest first and the logs after it; a table written and a log removed
  /// in between leave a hole until the next pass. Errors: kIo (also when the
  /// folder was replaced), kCorruption; open a new reader then.
  [[nodiscard]] Status catch_up();

  /// Catches up until two passes agree on the first offset of every
  /// partition, so that a hole is not taken for what retention removed.
  /// Errors: as `catch_up`; kUnavailable when they never agree.
  [[nodiscard]] Status settle();

  /// All offsets below were on disk for good when last caught up.
  [[nodiscard]] std::int64_t durable_end(std::int32_t partition) const {
    return meta_.durable_end[static_cast<std::size_t>(partition)];
  }

  /// The lowest offset there, `durable_end` when the partition is empty.
  [[nodiscard]] Result<std::int64_t> first_offset(std::int32_t partition);

  /// Whether a record lies at `offset`, durable or not.
  [[nodiscard]] Result<bool> exists(
      std::int32_t partition,
      std::int64_t offset);

  /// The record at `offset`, nullopt when it is not there; of its address
  /// only partition and offset are set. Errors: kCorruption naming the
  /// place, kIo.
  [[nodiscard]] Result<std::optional<Record>> read(
      std::int32_t partition,
      std::int64_t offset);

 private:
  [[nodiscard]] static Result<std::unique_ptr<LogReader>> open_with(
      const LogPaths& paths,
      std::int32_t partitions);

  LogReader(std::filesystem::path path, std::unique_ptr<LogTables> tables);

  [[nodiscard]] Result<std::vector<std::int64_t>> first_offsets();

  std::filesystem::path path_;
  std::uint64_t inode_;  ///< of the folder
  std::unique_ptr<LogTables> tables_;
  LogMeta meta_;
};

}  // namespace swavd::ingest
