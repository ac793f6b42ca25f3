#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "ingest/position.h"
#include "ingest/record.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// What a partition holds now.
struct PartitionBounds {
  std::int32_t partition = 0;
  std::int64_t begin = 0;  ///< oldest offset that still exists
  std::int64_t end = 0;    ///< one above the newest: the high watermark
};

/// What a poll brought.
enum class PollState {
  kRecord,  ///< a record
  kIdle,    ///< nothing within the time-out
  kEnd,     ///< a finite source is exhausted; never from a stream
};

struct Polled {
  PollState state = PollState::kIdle;
  Record record;  ///< set for kRecord
};

/// Where a run starts that has no snapshot yet.
enum class StartAt { kEarliest, kLatest, kTime };

struct StartPoint {
  StartAt at = StartAt::kEarliest;
  std::int64_t time_ms = 0;  ///< Unix ms, for kTime
};

/// A partitioned, ordered stream of records being read.
///
/// One thread polls; `close` may be called from any other. Records come in
/// offset order within a partition; offsets may leave holes (Kafka:
/// compaction, transaction markers), so two neighbours tell that nothing lies
/// between them (StreamProgress::absent). A second poller of the same stream
/// sees the same records: reading removes nothing.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// Stable name of the stream ("kafka/<cluster id>/<topic>",
  /// "log/<database id>/<topic>"): part of the snapshot.
  [[nodiscard]] virtual Result<std::string> stream_id() = 0;

  [[nodiscard]] virtual const std::string& topic() const = 0;

  /// All partitions, ascending. Asks the stream, so it is as fresh as it gets.
  /// Errors: kUnavailable, kNotFound (no such topic).
  [[nodiscard]] virtual Result<std::vector<PartitionBounds>> bounds() = 0;

  /// First offset of every partition for a run that starts at `start`.
  [[nodiscard]] virtual Result<std::vector<PartitionBounds>> resolve_start(
      StartPoint start) = 0;

  /// Reads from these positions on (from `next`, leaving out what
  /// `done_above` holds). Call once, before the first poll.
  /// Errors: kNotFound with the size of the gap when an offset is no longer
  /// there or lies beyond the end, kCorruption when the record at `last`
  /// differs from its fingerprint (the topic was made anew), kUnavailable.
  [[nodiscard]] virtual Status assign(
      const std::vector<Position>& positions) = 0;

  /// The next record of any assigned partition that has one; no partition
  /// can starve another. Blocks up to `timeout`. Errors: kUnavailable (told
  /// once per outage, then kIdle while it lasts), kNotFound (offset gone),
  /// kCancelled after `close`.
  [[nodiscard]] virtual Result<Polled> poll(
      std::chrono::milliseconds timeout) = 0;

  /// As `poll`, for one partition only: what strict turns need.
  [[nodiscard]] virtual Result<Polled> poll_partition(
      std::int32_t partition,
      std::chrono::milliseconds timeout) = 0;

  /// Tells the stream how far a durable snapshot has come, for lag tools and
  /// back-pressure. Advisory: never read back. Thread-safe.
  virtual void publish_progress(const std::vector<Position>& positions) = 0;

  /// Wakes a blocked poll; every later call gives kCancelled. Thread-safe.
  virtual void close() = 0;
};

}  // namespace swavd::ingest
