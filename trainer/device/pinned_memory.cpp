#include "trainer/device/pinned_memory.h"

#include <iterator>
#include <string>

namespace swavd::trainer {

void* PinnedMemory::allocate(std::size_t bytes) {
  void* memory = link_->allocate_pinned(bytes);
  if (memory != nullptr) {
    const MutexLock lock(mutex_);
    blocks_[static_cast<const std::byte*>(memory)] = bytes;
    ++allocations_;
  }
  return memory;
}

void PinnedMemory::release(void* memory) {
  if (memory == nullptr) {
    return;
  }
  {
    const MutexLock lock(mutex_);
    blocks_.erase(static_cast<const std::byte*>(memory));
  }
  link_->release_pinned(memory);
}

bool PinnedMemory::holds(const void* memory, std::size_t bytes) const {
  const auto* begin = static_cast<const std::byte*>(memory);
  const MutexLock lock(mutex_);
  const auto above = blocks_.upper_bound(begin);
  if (above == blocks_.begin()) {
    return false;
  }
  const auto& [block, size] = *std::prev(above);
  return begin + bytes <= block + size;
}

std::uint64_t PinnedMemory::allocations() const {
  const MutexLock lock(mutex_);
  return allocations_;
}

loader::BufferAllocator pinned_allocator(
    const std::shared_ptr<PinnedMemory>& memory) {
  return {
      [memory](std::size_t bytes) { return memory->allocate(bytes); },
      [memory](void* block, std::size_t /*bytes*/) { memory->release(block); }};
}

std::byte* PinnedBlock::at_least(std::size_t bytes) {
  if (bytes > bytes_) {
    memory_->release(data_);
    bytes_ = 0;
    data_ = static_cast<std::byte*>(memory_->allocate(bytes));
    if (data_ == nullptr) {
      throw DeviceFailure(
          "out of memory: " + std::to_string(bytes) +
          " bytes of pinned memory");
    }
    bytes_ = bytes;
  }
  return data_;
}

}  // namespace swavd::trainer
