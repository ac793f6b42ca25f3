#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "ingest/crawl/stats_book.h"
#include "ingest/sink.h"
#include "ops/base/bounded_queue.h"
#include "ops/base/mutex.h"
#include "ops/base/stage.h"

namespace swavd::ingest {

/// An image as it was fetched.
struct Fetched {
  std::string url;  ///< as listed
  std::string content_type;
  std::int64_t fetched_at_ms = 0;
  ByteVector body;
};

/// The first 16 hexadecimal digits of SHA-256 of `url`: the record's key.
[[nodiscard]] std::string record_key(const std::string& url);

/// The thread between the transfers and the stream. Publishing may block as
/// long as it likes without holding up a transfer; hashing is done here too.
class Publisher {
 public:
  struct Hooks {
    Sink& sink;
    StatsBook& stats;
    std::function<void()> on_room;  ///< an item left, from this thread
  };

  /// `capacity`: items that may wait.
  Publisher(Hooks hooks, std::size_t capacity);
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  ~Publisher() { queue_.close(); }

  /// Hands `item` over. Aborts when there is no room: the caller reserves it.
  /// After a failure the item is counted as discarded.
  void give(Fetched item);

  /// Items given and not yet in the stream.
  [[nodiscard]] std::size_t pending() const { return pending_.load(); }

  [[nodiscard]] std::uint64_t pending_bytes() const {
    return pending_bytes_.load();
  }

  /// True once the sink gave an error that ends the crawl.
  [[nodiscard]] bool failed() const { return failed_.load(); }

  /// Ends: waits until all is published, or, once `stop` is requested, for
  /// `grace` longer; then closes the sink, which lets a blocked publish go.
  /// Call once.
  void finish(const std::stop_token& stop, std::chrono::milliseconds grace);

  /// The error of the sink; only after `finish`.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  void work();
  void publish(Fetched item);

  Hooks hooks_;
  BoundedQueue<Fetched> queue_;
  std::atomic<std::size_t> pending_{0};
  std::atomic<std::uint64_t> pending_bytes_{0};
  std::atomic<bool> failed_{false};
  std::optional<Error> error_;  // written by the stage, read after its end
  Mutex mutex_;
  CondVar changed_;
  bool done_ SWAVD_GUARDED_BY(mutex_) = false;
  Stage stage_;
};

}  // namespace swavd::ingest
