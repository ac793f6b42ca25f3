#pragma once

#include <chrono>
#include <cstdint>

#include "ingest/crawler.h"
#include "ops/base/mutex.h"

namespace swavd::ingest {

/// The CrawlStats of one crawler, written by its threads and read by any.
/// Thread-safe.
class StatsBook {
 public:
  /// Applies `change` to the totals.
  template <typename Change>
  void update(Change change) SWAVD_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    change(stats_);
  }

  /// Counts one request as done.
  void count(CrawlOutcome outcome);

  /// Counts one request as blocked.
  void count(CrawlBlock reason);

  /// Adds one HTTP exchange to the histogram and the bytes.
  void observe(std::chrono::nanoseconds took, std::uint64_t body_bytes);

  [[nodiscard]] CrawlStats snapshot() const SWAVD_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return stats_;
  }

 private:
  mutable Mutex mutex_;
  CrawlStats stats_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd::ingest
