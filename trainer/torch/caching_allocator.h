#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include <c10/core/Allocator.h>

#include "ops/base/mutex.h"

namespace swavd::trainer {

/// Memory for LibTorch's CPU tensors. Blocks of 64 KiB and more are kept for
/// reuse when they are let go of: a training step asks for the same big blocks
/// again and again, and getting each from the kernel anew means a page fault
/// and a cleared page every 4 KiB. Thread-safe.
class CachingAllocator final : public c10::Allocator {
 public:
  /// The one LibTorch uses; installed on the first call, never destroyed.
  static CachingAllocator& install();

  /// Throws c10::Error when there is no memory, as LibTorch expects.
  c10::DataPtr allocate(std::size_t bytes) override;
  [[nodiscard]] c10::DeleterFnPtr raw_deleter() const override;
  void copy_data(void* to, const void* from, std::size_t bytes) const override;

  /// Says that a step is over. Blocks that lay idle for 16 steps go back to
  /// the system.
  void end_step();

  /// Bytes held but not in use.
  [[nodiscard]] std::size_t idle_bytes() const;

  /// Bytes of the blocks of all tensors that are alive.
  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }

  /// The most they were since the last call of `forget_peak`.
  [[nodiscard]] std::size_t peak_bytes() const { return peak_bytes_; }

  /// Begins a new peak at what is in use.
  void forget_peak() { peak_bytes_ = used_bytes_.load(); }

 private:
  /// Stands in front of the memory that is handed out, 64 bytes long so that
  /// the memory is aligned like it.
  struct alignas(64) Block {
    std::size_t bytes = 0;         ///< with this header
    std::uint64_t idle_since = 0;  ///< step at which it was let go of
  };

  CachingAllocator() = default;

  static void release(void* data);
  void count(std::size_t bytes);
  void keep(Block* block) SWAVD_EXCLUDES(mutex_);
  [[nodiscard]] Block* take(std::size_t bytes) SWAVD_EXCLUDES(mutex_);
  /// Gives idle blocks back that were let go of before `step`.
  void drop_before(std::uint64_t step) SWAVD_REQUIRES(mutex_);

  std::atomic<std::size_t> used_bytes_ = 0;
  std::atomic<std::size_t> peak_bytes_ = 0;
  mutable Mutex mutex_;
  /// By size; of each the one let go of last stands last.
  std::map<std::size_t, std::vector<Block*>> idle_ SWAVD_GUARDED_BY(mutex_);
  std::size_t idle_bytes_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::uint64_t step_ SWAVD_GUARDED_BY(mutex_) = 0;
};

}  // namespace swavd::trainer
