#pragma once

#include <chrono>

#include "ops/base/mutex.h"

namespace swavd::ingest {

/// A bell that one thread waits for and any thread rings. A ring that comes
/// before the wait is not lost.
class Wakeup {
 public:
  void ring() {
    {
      const MutexLock lock(mutex_);
      rung_ = true;
    }
    bell_.notify_all();
  }

  /// Returns when rung, or after `timeout`.
  void wait_for(std::chrono::milliseconds timeout) {
    const MutexLock lock(mutex_);
    (void)bell_.wait_for(
        mutex_, timeout, [this]() SWAVD_REQUIRES(mutex_) { return rung_; });
    rung_ = false;
  }

 private:
  Mutex mutex_;
  CondVar bell_;
  bool rung_ SWAVD_GUARDED_BY(mutex_) = false;
};

}  // namespace swavd::ingest
