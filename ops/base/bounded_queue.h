#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "ops/base/mutex.h"

namespace swavd {

/// How long the two sides of a queue have waited for each other, and what
/// passed. Totals since construction.
struct QueueStats {
  std::uint64_t pushed = 0;                   ///< items accepted
  std::uint64_t popped = 0;                   ///< items handed out
  std::size_t depth = 0;                      ///< items inside now
  std::size_t capacity = 0;                   ///< items that fit
  std::chrono::nanoseconds producer_wait{0};  ///< push blocked: queue full
  std::chrono::nanoseconds consumer_wait{0};  ///< pop blocked: queue empty
};

/// FIFO hand-off between two pipeline stages, at most `capacity` items deep.
/// A full queue blocks the producer: that is the back-pressure.
///
/// Thread-safe. Destroy only after both sides have returned.
template <typename T>
class BoundedQueue {
 public:
  /// `capacity`: items, at least 1.
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {
    stats_.capacity = capacity;
  }

  /// Blocks while full. Returns false, and drops `item`, once closed.
  [[nodiscard]] bool push(T item) SWAVD_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (!open_with_room()) {
        const auto since = std::chrono::steady_clock::now();
        room_.wait(mutex_, [this]() SWAVD_REQUIRES(mutex_) {
          return closed_ || items_.size() < capacity_;
        });
        stats_.producer_wait += std::chrono::steady_clock::now() - since;
      }
      if (closed_) {
        return false;
      }
      items_.push_back(std::move(item));
      ++stats_.pushed;
    }
    filled_.notify_one();
    return true;
  }

  /// Takes `item` only if there is room at once; false when full or closed.
  [[nodiscard]] bool try_push(T& item) SWAVD_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (!open_with_room()) {
        return false;
      }
      items_.push_back(std::move(item));
      ++stats_.pushed;
    }
    filled_.notify_one();
    return true;
  }

  /// Blocks while empty. Gives nullopt once closed and emptied.
  [[nodiscard]] std::optional<T> pop() SWAVD_EXCLUDES(mutex_) {
    std::optional<T> item;
    {
      const MutexLock lock(mutex_);
      if (items_.empty() && !closed_) {
        const auto since = std::chrono::steady_clock::now();
        filled_.wait(mutex_, [this]() SWAVD_REQUIRES(mutex_) {
          return closed_ || !items_.empty();
        });
        stats_.consumer_wait += std::chrono::steady_clock::now() - since;
      }
      item = take_front();
    }
    room_.notify_one();
    return item;
  }

  /// As `pop`, but gives nullopt when nothing came within `timeout` too;
  /// `closed()` tells the two apart.
  [[nodiscard]] std::optional<T> pop_for(std::chrono::milliseconds timeout)
      SWAVD_EXCLUDES(mutex_) {
    std::optional<T> item;
    {
      const MutexLock lock(mutex_);
      // To wait for no time at all still puts a thread to sleep for a moment.
      if (items_.empty() && !closed_ && timeout.count() > 0) {
        const auto since = std::chrono::steady_clock::now();
        (void)filled_.wait_for(
            mutex_, timeout, [this]() SWAVD_REQUIRES(mutex_) {
              return closed_ || !items_.empty();
            });
        stats_.consumer_wait += std::chrono::steady_clock::now() - since;
      }
      item = take_front();
    }
    room_.notify_one();
    return item;
  }

  /// Wakes both sides. Items already inside are still handed out. Idempotent.
  void close() SWAVD_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      closed_ = true;
    }
    room_.notify_all();
    filled_.notify_all();
  }

  [[nodiscard]] bool closed() const SWAVD_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return closed_;
  }

  [[nodiscard]] QueueStats stats() const SWAVD_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    QueueStats stats = stats_;
    stats.depth = items_.size();
    return stats;
  }

 private:
  [[nodiscard]] bool open_with_room() const SWAVD_REQUIRES(mutex_) {
    return !closed_ && items_.size() < capacity_;
  }

  std::optional<T> take_front() SWAVD_REQUIRES(mutex_) {
    if (items_.empty()) {
      return std::nullopt;
    }
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    ++stats_.popped;
    return item;
  }

  const std::size_t capacity_;
  mutable Mutex mutex_;
  CondVar room_;
  CondVar filled_;
  std::deque<T> items_ SWAVD_GUARDED_BY(mutex_);
  bool closed_ SWAVD_GUARDED_BY(mutex_) = false;
  QueueStats stats_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd
