#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dedup_free_loader/batch.h"
#include "trainer/device/device_link.h"
#include "trainer/device/pinned_memory.h"

namespace swavd::trainer {

/// Brings crops to a device on a stream of its own: while the device works on
/// one batch, the next one is under way. Two sets of buffers there are used in
/// turn, so that a steady stream allocates nothing. Crops that do not lie in
/// pinned memory are copied there first. Not thread-safe.
class CropUpload {
 public:
  CropUpload(
      std::shared_ptr<const DeviceLink> link,
      std::shared_ptr<PinnedMemory> pinned);
  CropUpload(const CropUpload&) = delete;
  CropUpload& operator=(const CropUpload&) = delete;

  /// Waits for what is under way.
  ~CropUpload();

  /// Begins to bring these crops over, unless they are on their way already or
  /// there is no room: then `take` does it all.
  void begin(std::span<const loader::CropGroup> groups, std::int64_t images);

  /// The crops of each group on the device, [crops * images, 3, size, size],
  /// channels last. The current stream waits for them, the host does not. One
  /// set at a time: valid until `release`.
  [[nodiscard]] std::vector<at::Tensor> take(
      std::span<const loader::CropGroup> groups,
      std::int64_t images);

  /// What is put into the current stream from now on does not look at the
  /// crops taken. The host's buffers are let go of.
  void release();

  /// Bytes that had to be copied into pinned memory first, so far.
  [[nodiscard]] std::uint64_t staged_bytes() const { return staged_bytes_; }

 private:
  enum class Use { kFree, kBegun, kTaken };

  struct Slot {
    explicit Slot(
        const std::shared_ptr<const DeviceLink>& link,
        const std::shared_ptr<PinnedMemory>& pinned)
        : uploaded(link),
          left(link),
          staging(pinned) {}

    Use use = Use::kFree;
    std::uint64_t order = 0;  ///< of `begin`
    std::vector<at::Tensor> buffers;
    /// What is being uploaded; keeps the loader from filling it anew.
    std::vector<std::shared_ptr<float>> sources;
    DeviceEvent uploaded;
    DeviceEvent left;  ///< nobody looks at the buffers from there on
    PinnedBlock staging;
  };

  [[nodiscard]] Slot* find(std::span<const loader::CropGroup> groups);
  [[nodiscard]] Slot* free_slot();
  void fill(
      Slot& slot,
      std::span<const loader::CropGroup> groups,
      std::int64_t images);
  void empty(Slot& slot);

  std::shared_ptr<const DeviceLink> link_;
  std::shared_ptr<PinnedMemory> pinned_;
  DeviceStream stream_;
  std::array<Slot, 2> slots_;
  std::uint64_t begun_ = 0;
  std::uint64_t staged_bytes_ = 0;
};

}  // namespace swavd::trainer
