#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ingest/log/log_connection.h"
#include "ingest/position.h"
#include "ingest/record.h"
#include "ingest/resume.h"
#include "ingest/source.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// A gap that was jumped.
struct Jump {
  std::int32_t partition = 0;
  OffsetRange range;
};

/// Bounds of a partition as `reader` sees them now. Errors: kIo.
[[nodiscard]] Result<PartitionBounds> partition_bounds(
    LogReader& reader,
    std::int32_t partition);

/// How far each assigned partition has been read, and the turns they take.
///
/// Not thread-safe.
class LogCursors {
 public:
  LogCursors(std::string topic, OnGap on_gap);

  [[nodiscard]] bool empty() const { return cursors_.empty(); }

  /// Reads on from `position`, which `reader` must hold. Errors: as
  /// `Source::assign`.
  [[nodiscard]] Status add(const Position& position, LogReader& reader);

  /// The next record of the partition whose turn it is, or of partition
  /// `only`; nullopt when the reader sees none. Errors: kNotFound (retention
  /// took what is needed next and gaps are not to be jumped), kCorruption,
  /// kIo.
  [[nodiscard]] Result<std::optional<Record>> take(
      LogConnection& connection,
      std::optional<std::int32_t> only);

  /// Gaps jumped since the last call.
  [[nodiscard]] std::vector<Jump> take_jumps();

 private:
  struct Cursor {
    std::int32_t partition = 0;
    std::int64_t next = 0;
    std::vector<OffsetRange> done_above;
  };

  [[nodiscard]] Result<std::optional<Record>> take_from(
      Cursor& cursor,
      LogConnection& connection);
  [[nodiscard]] Result<bool> pass_missing(
      Cursor& cursor,
      LogConnection& connection);
  [[nodiscard]] Status jump_gap(Cursor& cursor, const PartitionBounds& bounds);

  std::string topic_;
  OnGap on_gap_;
  std::vector<Cursor> cursors_;
  std::size_t turn_ = 0;
  /// Since when a record that should be there has not been found.
  std::optional<std::chrono::steady_clock::time_point> missing_since_;
  std::vector<Jump> jumps_;
};

}  // namespace swavd::ingest
