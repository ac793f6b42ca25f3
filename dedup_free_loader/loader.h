#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dedup_free_loader/batch.h"
#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/image.h"
#include "ingest/source.h"
#include "ops/base/bounded_queue.h"
#include "ops/base/result.h"

namespace swavd::loader {

/// How partitions are mixed.
enum class Order {
  kArrival,     ///< whatever is there; no partition can stall another
  kRoundRobin,  ///< strict turns, waiting for each: reproducible to the byte
};

struct LoaderOptions {
  std::uint64_t seed = 0;
  std::int32_t batch_images = 128;
  std::int32_t workers = 1;             ///< decoding threads, at least 1
  std::int32_t prefetch_batches = 2;    ///< finished batches held ready
  std::int32_t inflight_records = 256;  ///< taken, no worker has them yet
  /// Payload bytes of those, and of the ones that are being decoded.
  std::uint64_t inflight_bytes = 256ULL << 20U;
  /// Payload bytes of rejected records that are kept for their batch; those
  /// beyond are given before it.
  std::uint64_t rejected_bytes = UINT64_MAX;
  Order order = Order::kArrival;
  std::int32_t first_turn = 0;  ///< kRoundRobin: whose turn is first
  /// Those assigned to the source, ascending: kRoundRobin's turns, and what
  /// shares `shuffle_bytes`.
  std::vector<std::int32_t> partitions;
  /// A partition's records are mixed within blocks of so many offsets; 1: not.
  std::int64_t shuffle_records = 1;
  /// Payload bytes of all partitions that are held to be mixed.
  std::uint64_t shuffle_bytes = 0;
  /// kArrival: how long a record waits for others of its block to come.
  std::chrono::milliseconds shuffle_wait{1000};
  std::vector<CropSpec> crops;
  AugmentOptions augment;
  /// JPEG files may be decoded smaller as far as each crop is still cut from so
  /// many pixels for each of its side's; 0: never. Not for `center`.
  double decode_fidelity = 0;
  DecodeOptions decode;
  bool drop_incomplete = true;  ///< false: a finite source's rest is a batch
  /// Evaluation: one centre crop of crops[0].size instead of random crops;
  /// `center_resize` is the short side before it, 0 = equal to the size.
  bool center = false;
  std::int32_t center_resize = 0;
  std::int32_t niceness = 0;  ///< of the workers, 0-19
  /// Worker i, and the process that decodes for it, stay on core i, counted
  /// round; empty: they run anywhere.
  std::vector<std::int32_t> cores;
  /// `swavd-decode`: each worker has a process of its own decode, which can do
  /// nothing else. Empty: the worker decodes.
  std::string decode_helper;
  std::chrono::milliseconds image_timeout{10'000};  ///< of such a process
  /// Called by the polling thread after each poll: the gaps the source has
  /// jumped since the last call. May be empty.
  std::function<std::vector<PartitionRange>()> take_gaps;
};

/// What a `next` call brought.
enum class NextState {
  kBatch,
  /// Rejected records of a batch that is not full yet: they have become too
  /// large to be kept. They are consumed with their batch, in which they come
  /// again without payloads.
  kRejected,
  kIdle,  ///< the batch is not full yet and the time-out passed
  kEnd,   ///< a finite source is exhausted
};

struct Next {
  NextState state = NextState::kIdle;
  std::unique_ptr<Batch> batch;    ///< for kBatch
  std::vector<Rejected> rejected;  ///< for kRejected
};

/// Waits of the loader's hand-offs since it began.
struct LoaderStats {
  QueueStats records;                ///< reader -> workers
  QueueStats batches;                ///< assembler -> trainer
  std::uint64_t held_records = 0;    ///< in the shuffle window
  std::uint64_t held_bytes = 0;      ///< their payloads
  std::uint64_t inflight_bytes = 0;  ///< payloads given out, not yet decoded
  std::uint64_t records_taken = 0;
  std::uint64_t bytes_taken = 0;
  std::uint64_t images_decoded = 0;
  std::uint64_t images_rejected = 0;
};

/// Turns a stream of image files into batches of crops. One thread polls the
/// source and mixes the records within the shuffle window, `workers` threads
/// decode and render, records are delivered in the order of that thread.
/// Filters nothing, de-duplicates nothing: what cannot be decoded is listed in
/// its batch with a reason.
///
/// `next` is for one thread; `close` and `stats` for any.
class Loader {
 public:
  Loader() = default;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  virtual ~Loader() = default;

  /// The next full batch. Blocks up to `timeout`. Errors: those of the source
  /// that end it (kNotFound: offset gone; kIo, kCorruption), kCancelled after
  /// `close`. A kUnavailable stream is waited for, never an error here.
  [[nodiscard]] virtual Result<Next> next(
      std::chrono::milliseconds timeout) = 0;

  [[nodiscard]] virtual LoaderStats stats() const = 0;

  /// Ends all threads; a blocked `next` returns kCancelled. Does not close
  /// the source.
  virtual void close() = 0;
};

/// The path of `swavd-decode` in the folder of the running program.
[[nodiscard]] std::string helper_beside_us();

/// Starts the loader's threads. `source` must be assigned already and outlive
/// the loader; nobody else polls it meanwhile.
[[nodiscard]] std::unique_ptr<Loader> start_loader(
    ingest::Source& source,
    const LoaderOptions& options,
    const BufferAllocator& allocator);

}  // namespace swavd::loader
