#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "dedup_free_loader/batch.h"
#include "ops/base/mutex.h"
#include "trainer/device/device_link.h"

namespace swavd::trainer {

/// Memory of the host that a device copies from and to by itself, without a
/// stop in between. Knows its own. Thread-safe.
class PinnedMemory {
 public:
  explicit PinnedMemory(std::shared_ptr<const DeviceLink> link)
      : link_(std::move(link)) {}

  /// nullptr when there is none.
  [[nodiscard]] void* allocate(std::size_t bytes) SWAVD_EXCLUDES(mutex_);
  void release(void* memory) SWAVD_EXCLUDES(mutex_);

  /// Whether all of these bytes are pinned.
  [[nodiscard]] bool holds(const void* memory, std::size_t bytes) const
      SWAVD_EXCLUDES(mutex_);

  /// How often memory was asked of the driver so far.
  [[nodiscard]] std::uint64_t allocations() const SWAVD_EXCLUDES(mutex_);

 private:
  std::shared_ptr<const DeviceLink> link_;
  mutable Mutex mutex_;
  std::map<const std::byte*, std::size_t> blocks_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t allocations_ SWAVD_GUARDED_BY(mutex_) = 0;
};

/// For the loader's crops: they can be uploaded as they lie.
[[nodiscard]] loader::BufferAllocator pinned_allocator(
    const std::shared_ptr<PinnedMemory>& memory);

/// One piece of pinned memory that grows and never shrinks.
class PinnedBlock {
 public:
  explicit PinnedBlock(std::shared_ptr<PinnedMemory> memory)
      : memory_(std::move(memory)) {}

  PinnedBlock(const PinnedBlock&) = delete;
  PinnedBlock& operator=(const PinnedBlock&) = delete;

  ~PinnedBlock() { memory_->release(data_); }

  /// At least `bytes` of it; what was in it may be lost. Throws DeviceFailure
  /// when there is no memory.
  [[nodiscard]] std::byte* at_least(std::size_t bytes);

 private:
  std::shared_ptr<PinnedMemory> memory_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace swavd::trainer
