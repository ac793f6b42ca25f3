#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "dedup_free_loader/loader.h"
#include "dedup_free_loader/reading/shuffle_window.h"
#include "ingest/source.h"
#include "ops/base/clock.h"
#include "ops/base/result.h"

namespace swavd::loader {

/// What a `next` call of a reader brought.
struct Read {
  ingest::PollState state = ingest::PollState::kIdle;
  Drawn drawn;                  ///< for kRecord
  std::int32_t turn_after = 0;  ///< for kRecord in kRoundRobin
};

/// Takes records from a source and gives them in the order in which they are
/// to be delivered: partitions mixed as `options.order` says, each shuffled by
/// its window. Once a window is full, one record comes in for each that goes
/// out.
///
/// kArrival: a record waits for its block to fill up, but no longer than
/// `shuffle_wait` when the source has no more of its partition; no partition
/// delays another.
/// kRoundRobin: blocks are waited for; the order is a function of the stream,
/// the positions and the turn. Not thread-safe.
class RecordReader {
 public:
  /// `source` must be assigned, and outlive the reader, as must `clock`.
  RecordReader(
      ingest::Source& source,
      const LoaderOptions& options,
      const Clock& clock);

  /// The next record. Blocks up to about `timeout` for the source. kIdle: ask
  /// again; while kUnavailable streams are away, too. Errors: others of the
  /// source, when what was read before has been given.
  [[nodiscard]] Result<Read> next(std::chrono::milliseconds timeout);

  [[nodiscard]] std::size_t held_records() const;

  /// Payload bytes held.
  [[nodiscard]] std::uint64_t held_bytes() const;

 private:
  using TimePoint = PartitionWindow::TimePoint;

  struct Line {
    PartitionWindow window;
    std::uint64_t last_poll = 0;  ///< that brought a record of it
    /// Since when the source has had none.
    std::optional<TimePoint> in_vain_since;
  };

  using Lines = std::map<std::int32_t, Line>;

  [[nodiscard]] Result<Read> next_there(std::chrono::milliseconds timeout);
  [[nodiscard]] Result<Read> next_in_turn(std::chrono::milliseconds timeout);
  [[nodiscard]] Result<std::optional<std::int32_t>> take_in(
      std::optional<std::int32_t> only,
      std::chrono::milliseconds timeout);
  void end();
  [[nodiscard]] Result<Read> nothing_more() const;
  PartitionWindow& window_of(std::int32_t partition);
  void asked_in_vain(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> due_at(const Line& line) const;
  [[nodiscard]] PartitionWindow* due(TimePoint now);
  [[nodiscard]] PartitionWindow* settled_one();
  [[nodiscard]] std::chrono::milliseconds until_due(
      TimePoint now,
      std::chrono::milliseconds most) const;
  [[nodiscard]] Read give(PartitionWindow& window);

  ingest::Source& source_;
  const LoaderOptions& options_;
  const Clock& clock_;
  WindowOptions window_options_;
  Lines lines_;
  std::int32_t turn_;                 ///< kRoundRobin: whose turn is next
  std::int32_t after_ = -1;           ///< kArrival: the last one emptied
  std::optional<std::int32_t> brim_;  ///< kArrival: the last one taken in
  TimePoint look_again_{};            ///< not asked before while there is more
  bool asked_ = true;                 ///< since the last that was due
  std::uint64_t polls_ = 0;           ///< that brought a record
  bool ended_ = false;
  std::optional<Error> failure_;  ///< of the source, told when all is given
};

}  // namespace swavd::loader
