#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dedup_free_loader/image.h"
#include "ingest/position.h"
#include "ingest/record.h"

namespace swavd::loader {

/// Memory for crops. The trainer supplies it, so that a CUDA one can hand out
/// pinned memory. Both functions must be thread-safe.
struct BufferAllocator {
  /// Gives `bytes` bytes aligned to 64, or nullptr.
  std::function<void*(std::size_t bytes)> allocate;
  std::function<void(void* memory, std::size_t bytes)> release;
};

/// Plain host memory.
[[nodiscard]] BufferAllocator host_allocator();

/// Hands out buffers of one size and takes them back for reuse, so that a
/// steady stream allocates nothing. Thread-safe; buffers may outlive the pool.
class BufferPool {
 public:
  /// `floats`: length of each buffer.
  BufferPool(BufferAllocator allocator, std::size_t floats);

  /// A buffer of `floats` float32; returns to the pool when the last owner
  /// lets go. Shared because a batch's tensors borrow it past the batch.
  [[nodiscard]] std::shared_ptr<float> take();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Crops of one size: float32 [crops * images, size, size, 3], channels last,
/// crop-major (all images of the first crop, then of the second, …).
struct CropGroup {
  std::int32_t crops = 0;
  std::int32_t size = 0;  ///< pixels
  std::shared_ptr<float> data;
};

/// One image of a batch: who it is.
struct Slot {
  ingest::Address address;
  std::int64_t timestamp_ms = -1;
  Digest payload_sha256{};
  std::string label;
  std::string name;  ///< header "name" of a finite source, else empty
};

/// A record that could not be trained on; whole, for the dead letters.
struct Rejected {
  ingest::Record record;
  Digest payload_sha256{};
  Rejection rejection;
  /// It was given whole before its batch, see `NextState::kRejected`: of the
  /// record only address and time stamp are left.
  bool given_before = false;
};

/// Offsets of one partition.
struct PartitionRange {
  std::int32_t partition = 0;
  std::int64_t from = 0;
  std::int64_t to = 0;  ///< included

  friend bool operator==(const PartitionRange&, const PartitionRange&) =
      default;
};

/// What one training step consumes: exactly the configured number of images
/// (a finite source's last batch may have fewer), and the rejected records
/// that stood between them.
struct Batch {
  std::int32_t images = 0;
  std::int32_t filled = 0;        ///< of them, those whose file ended early
  std::vector<CropGroup> groups;  ///< in the order of the crop specs
  std::vector<Slot> slots;        ///< [images], in order taken
  std::vector<Rejected> rejected;
  /// Offsets the source found gone; all records below have been in this batch
  /// or one before it.
  std::vector<PartitionRange> gaps;
  /// Offsets that hold no record (compacted away, a transaction's marker), and
  /// with them what lies in `gaps` or was consumed before the loader began.
  std::vector<PartitionRange> absent;
  std::int32_t turn_after = 0;  ///< whose turn is next, for "round_robin"
  double decode_seconds = 0;    ///< CPU time of the workers, summed
  double render_seconds = 0;
};

}  // namespace swavd::loader
