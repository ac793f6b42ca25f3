#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "dedup_free_loader/batch.h"
#include "ingest/record.h"

namespace swavd::loader {

struct WindowOptions {
  std::uint64_t seed = 0;
  /// Offsets of a block, at least 1; 1 leaves the order as it is.
  std::int64_t records = 1;
  /// Payload bytes that the records drawn from may have, of one partition.
  std::uint64_t bytes = 0;
};

/// A record on its way out of the window, with what was found in front of it.
struct Drawn {
  ingest::Record record;
  std::vector<PartitionRange> gaps;
  std::optional<PartitionRange> absent;  ///< right below the record
};

/// Mixes the records of one partition within blocks of `records` offsets (block
/// b begins at offset b * records).
///
/// The next record is the one with the least random rank, a function of (seed,
/// partition, offset), among those drawn from: of the block's records that were
/// not given yet, lowest offsets first, as many as fit into `bytes` (at least
/// one). That is a function of what was given before, so a run that goes on
/// from a position goes on in the same order; without the limit of bytes a
/// block comes out in a uniformly random order. A block is not begun before the
/// one below it is empty. Not thread-safe.
class PartitionWindow {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  PartitionWindow(std::int32_t partition, const WindowOptions& options);

  /// Takes in the partition's next record; offsets ascend. No record exists
  /// between two that follow one another, or below the first, unless it was
  /// given before this window began.
  void add(ingest::Record record, TimePoint now);

  /// Takes in a gap between the last record and the next: what was taken in
  /// before it is given before it.
  void add_gap(const PartitionRange& gap);

  /// Nothing more will come.
  void end();

  /// True when `draw` gives what it would with all of the block there.
  [[nodiscard]] bool settled() const;

  /// Since when records could be drawn that are not settled; nullopt when there
  /// are none.
  [[nodiscard]] std::optional<TimePoint> waiting_since() const;

  [[nodiscard]] bool empty() const { return records_ == 0; }

  [[nodiscard]] bool full() const { return bytes_ > options_.bytes; }

  [[nodiscard]] std::size_t records() const { return records_; }

  /// Payload bytes held.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// The next record; there must be one.
  [[nodiscard]] Drawn draw(TimePoint now);

 private:
  struct Held {
    std::uint64_t rank = 0;
    ingest::Record record;
    std::int64_t first_absent = 0;
  };

  /// The records of one block, or of its part up to a gap.
  struct Segment {
    std::int64_t end = 0;    ///< one above the block; 0: no record yet
    bool complete = false;   ///< no further record will come
    std::vector<Held> heap;  ///< drawn from, the least rank on top
    std::uint64_t heap_bytes = 0;
    std::deque<Held> behind;           ///< do not fit into the bytes yet
    std::vector<PartitionRange> gaps;  ///< in front of the first record
    TimePoint since;                   ///< first in line, with a record
  };

  static bool comes_later(const Held& left, const Held& right);
  [[nodiscard]] std::uint64_t rank_of(std::int64_t offset) const;
  Segment& segment_of(std::int64_t offset, TimePoint now);
  [[nodiscard]] bool fits(const Segment& segment, const Held& held) const;
  static void push(Segment& segment, Held held);

  std::int32_t partition_;
  WindowOptions options_;
  std::uint64_t key_;
  std::deque<Segment> segments_;
  std::int64_t next_offset_ = 0;  ///< one above the last record taken in
  std::size_t records_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace swavd::loader
