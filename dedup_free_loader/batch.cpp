#include "dedup_free_loader/batch.h"

#include <cstdlib>
#include <utility>

#include "ops/base/check.h"
#include "ops/base/mutex.h"

namespace swavd::loader {

BufferAllocator host_allocator() {
  constexpr std::size_t kAlignment = 64;
  return {
      [](std::size_t bytes) {
        const std::size_t rounded =
            (bytes + kAlignment - 1) / kAlignment * kAlignment;
        return std::aligned_alloc(kAlignment, rounded);
      },
      [](void* memory, std::size_t) { std::free(memory); }};
}

struct BufferPool::State {
  State(BufferAllocator allocator_in, std::size_t floats_in)
      : allocator(std::move(allocator_in)),
        bytes(floats_in * sizeof(float)) {}

  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ~State() {
    for (void* buffer : free) {
      allocator.release(buffer, bytes);
    }
  }

  BufferAllocator allocator;
  std::size_t bytes;
  Mutex mutex;
  std::vector<void*> free SWAVD_GUARDED_BY(mutex);
};

BufferPool::BufferPool(BufferAllocator allocator, std::size_t floats)
    : state_(std::make_shared<State>(std::move(allocator), floats)) {}

std::shared_ptr<float> BufferPool::take() {
  void* memory = nullptr;
  {
    const MutexLock lock(state_->mutex);
    if (!state_->free.empty()) {
      memory = state_->free.back();
      state_->free.pop_back();
    }
  }
  if (memory == nullptr) {
    memory = state_->allocator.allocate(state_->bytes);
    // Without its few buffers a loader cannot run at all.
    SWAVD_CHECK(memory != nullptr);
  }
  return {static_cast<float*>(memory), [state = state_](float* buffer) {
            const MutexLock lock(state->mutex);
            state->free.push_back(buffer);
          }};
}

}  // namespace swavd::loader
