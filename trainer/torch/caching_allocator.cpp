#include "trainer/torch/caching_allocator.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

namespace swavd::trainer {

namespace {

constexpr std::size_t kLeastKept = std::size_t{1} << 16U;
constexpr std::uint64_t kIdleSteps = 16;

/// `bytes` rounded up so that blocks of nearly the same size are one size:
/// eight sizes from each power of two to the next.
std::size_t block_size(std::size_t bytes) {
  if (bytes < kLeastKept) {
    return (bytes + 63) / 64 * 64;
  }
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

}  // namespace

CachingAllocator& CachingAllocator::install() {
  // Never destroyed: tensors in static storage may outlive any order of
  // destruction.
  static CachingAllocator* const allocator = [] {
    auto* made = new CachingAllocator();
    constexpr std::uint8_t kAboveDefault = 1;
    c10::SetCPUAllocator(made, kAboveDefault);
    return made;
  }();
  return *allocator;
}

c10::DataPtr CachingAllocator::allocate(std::size_t bytes) {
  const c10::Device host(c10::DeviceType::CPU);
  if (bytes == 0) {
    return {nullptr, nullptr, &release, host};
  }
  TORCH_CHECK(
      bytes < std::numeric_limits<std::size_t>::max() / 2,
      "cannot allocate memory: ",
      bytes,
      " bytes");
  Block* block = take(block_size(bytes + sizeof(Block)));
  TORCH_CHECK(block != nullptr, "cannot allocate memory: ", bytes, " bytes");
  count(block->bytes);
  return {block + 1, block + 1, &release, host};
}

c10::DeleterFnPtr CachingAllocator::raw_deleter() const {
  return &release;
}

void CachingAllocator::copy_data(void* to, const void* from, std::size_t bytes)
    const {
  std::memcpy(to, from, bytes);
}

void CachingAllocator::end_step() {
  const MutexLock lock(mutex_);
  ++step_;
  if (step_ > kIdleSteps) {
    drop_before(step_ - kIdleSteps);
  }
}

std::size_t CachingAllocator::idle_bytes() const {
  const MutexLock lock(mutex_);
  return idle_bytes_;
}

void CachingAllocator::release(void* data) {
  if (data == nullptr) {
    return;
  }
  Block* block = static_cast<Block*>(data) - 1;
  CachingAllocator& allocator = install();
  allocator.used_bytes_ -= block->bytes;
  if (block->bytes < kLeastKept) {
    std::free(block);
  } else {
    allocator.keep(block);
  }
}

void CachingAllocator::count(std::size_t bytes) {
  const std::size_t used = used_bytes_ += bytes;
  std::size_t peak = peak_bytes_;
  while (used > peak && !peak_bytes_.compare_exchange_weak(peak, used)) {
  }
}

void CachingAllocator::keep(Block* block) {
  const MutexLock lock(mutex_);
  block->idle_since = step_;
  idle_[block->bytes].push_back(block);
  idle_bytes_ += block->bytes;
}

CachingAllocator::Block* CachingAllocator::take(std::size_t bytes) {
  if (bytes >= kLeastKept) {
    const MutexLock lock(mutex_);
    const auto same_size = idle_.find(bytes);
    if (same_size != idle_.end() && !same_size->second.empty()) {
      Block* block = same_size->second.back();
      same_size->second.pop_back();
      idle_bytes_ -= bytes;
      return block;
    }
  }
  void* memory = std::aligned_alloc(alignof(Block), bytes);
  if (memory == nullptr) {
    {
      // What lies idle may be what is missing.
      const MutexLock lock(mutex_);
      drop_before(std::numeric_limits<std::uint64_t>::max());
    }
    memory = std::aligned_alloc(alignof(Block), bytes);
  }
  return memory == nullptr ? nullptr : new (memory) Block{bytes, 0};
}

void CachingAllocator::drop_before(std::uint64_t step) {
  for (auto& [bytes, blocks] : idle_) {
    std::erase_if(blocks, [&](Block* block) {
      const bool old = block->idle_since < step;
      if (old) {
        idle_bytes_ -= block->bytes;
        std::free(block);
      }
      return old;
    });
  }
}

}  // namespace swavd::trainer
