#pragma once

#include <cstdint>

#include "ops/base/mutex.h"

namespace swavd::loader {

/// Lets payloads in as long as all that are inside have no more than so many
/// bytes together; one alone may have any size. Thread-safe.
class ByteGate {
 public:
  explicit ByteGate(std::uint64_t limit) : limit_(limit) {}

  /// Waits for room. False, and nothing is let in, once closed.
  [[nodiscard]] bool enter(std::uint64_t bytes) SWAVD_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    room_.wait(mutex_, [this, bytes]() SWAVD_REQUIRES(mutex_) {
      return closed_ || inside_ == 0 ||
             (inside_ <= limit_ && bytes <= limit_ - inside_);
    });
    if (!closed_) {
      inside_ += bytes;
    }
    return !closed_;
  }

  /// Of one that was let in.
  void leave(std::uint64_t bytes) SWAVD_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      inside_ -= bytes;
    }
    room_.notify_all();
  }

  /// Nothing is let in any more; whoever waits is sent away.
  void close() SWAVD_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      closed_ = true;
    }
    room_.notify_all();
  }

  /// Bytes inside.
  [[nodiscard]] std::uint64_t inside() const SWAVD_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return inside_;
  }

 private:
  const std::uint64_t limit_;
  mutable Mutex mutex_;
  CondVar room_;
  std::uint64_t inside_ SWAVD_GUARDED_BY(mutex_) = 0;
  bool closed_ SWAVD_GUARDED_BY(mutex_) = false;
};

}  // namespace swavd::loader
