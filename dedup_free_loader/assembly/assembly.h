#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "dedup_free_loader/batch.h"
#include "dedup_free_loader/loader.h"
#include "ops/base/mutex.h"

namespace swavd::loader {

/// A record on its way through the loader.
struct Taken {
  std::uint64_t ticket = 0;  ///< 0, 1, … in the order of delivery
  std::int32_t turn_after = 0;
  ingest::Record record;
  Digest payload_sha256{};
  std::vector<PartitionRange> gaps;      ///< found just before this record
  std::optional<PartitionRange> absent;  ///< right below it
};

/// A batch being filled.
struct OpenBatch {
  std::unique_ptr<Batch> batch;
  std::int32_t rendering = 0;  ///< slots taken, not yet rendered
  bool full = false;
  std::uint64_t rejected_bytes = 0;  ///< payloads of those rejected
};

/// Where the crops of one image go.
struct Place {
  OpenBatch* open = nullptr;
  std::vector<float*> crops;  ///< one target a crop, in crop order
};

/// Puts images into batches. Workers come in any order; slots are given out in
/// the order of the tickets, so a rejected record's place goes to the next
/// one and the result does not depend on the number of workers. Thread-safe.
class Assembly {
 public:
  Assembly(const LoaderOptions& options, const BufferAllocator& allocator);

  /// Waits for the ticket's turn and for room, then gives the image its slot.
  /// nullopt once cancelled. `filled`: pixels of it are missing.
  [[nodiscard]] std::optional<Place>
  take_slot(Taken taken, bool filled, double decode_seconds);

  /// Waits for the ticket's turn, then lists the record as rejected. False
  /// once cancelled.
  [[nodiscard]] bool
  reject(Taken taken, Rejection rejection, double decode_seconds);

  /// The image at `place` is complete.
  void rendered(const Place& place, double render_seconds);

  /// No more records will come; all places are rendered.
  void finish();

  /// The source failed: `next` gives the finished batches, then `error`.
  void fail(Error error);

  /// Wakes everybody for good.
  void cancel();

  /// Likewise, and `next` gives `error` from now on.
  void abort(Error error);

  [[nodiscard]] Result<Next> next(std::chrono::milliseconds timeout);

  /// Finished batches handed over, and how long each side waited.
  [[nodiscard]] QueueStats stats() const;

 private:
  [[nodiscard]] bool wait_for_turn(std::uint64_t ticket) SWAVD_REQUIRES(mutex_);
  OpenBatch& filling() SWAVD_REQUIRES(mutex_);
  void enter(OpenBatch& open, Taken& taken, double decode_seconds)
      SWAVD_REQUIRES(mutex_);
  void end_turn() SWAVD_REQUIRES(mutex_);
  [[nodiscard]] bool front_ready() const SWAVD_REQUIRES(mutex_);
  [[nodiscard]] bool has_room() const SWAVD_REQUIRES(mutex_);
  void close_incomplete() SWAVD_REQUIRES(mutex_);
  void give_rejected(OpenBatch& open) SWAVD_REQUIRES(mutex_);

  const std::int32_t images_;
  const std::size_t depth_;  ///< batches open or finished at most
  const bool drop_incomplete_;
  const std::uint64_t rejected_bytes_;
  std::vector<CropSpec> crops_;
  std::vector<BufferPool> pools_;

  mutable Mutex mutex_;
  CondVar turn_;   // a ticket was served, or room was made
  CondVar ready_;  // there is something for `next`, or the end has come
  std::deque<OpenBatch> open_ SWAVD_GUARDED_BY(mutex_);
  /// To be given before their batch.
  std::vector<Rejected> early_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t serving_ SWAVD_GUARDED_BY(mutex_) = 0;
  bool finished_ SWAVD_GUARDED_BY(mutex_) = false;
  bool cancelled_ SWAVD_GUARDED_BY(mutex_) = false;
  std::optional<Error> error_ SWAVD_GUARDED_BY(mutex_);
  std::optional<Error> aborted_ SWAVD_GUARDED_BY(mutex_);
  QueueStats stats_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd::loader
