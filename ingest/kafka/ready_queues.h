#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ingest/position.h"
#include "ingest/record.h"
#include "ops/base/mutex.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// What stands next in a partition: a record, a jumped gap, or the error that
/// ends the partition (it stays for ever).
struct ReadyItem {
  std::int32_t partition = 0;
  Record record;
  std::optional<OffsetRange> gap;
  std::optional<Error> error;
};

/// Records that were fetched and wait for the poller: one queue per
/// partition, each bounded in bytes, so that a full partition neither holds
/// back another nor takes its room. Thread-safe.
class ReadyQueues {
 public:
  /// `bytes_each`: bytes a partition holds before it counts as full;
  /// an empty one takes a record of any size. `on_room` is called, from the
  /// popping thread, when a full partition has room again.
  ReadyQueues(
      std::vector<std::int32_t> partitions,
      std::uint64_t bytes_each,
      std::function<void()> on_room);

  /// Whether the `slot`-th partition takes another record.
  [[nodiscard]] bool has_room(std::size_t slot) const SWAVD_EXCLUDES(mutex_);

  /// Appends to the `slot`-th partition, full or not.
  void push(std::size_t slot, ReadyItem item) SWAVD_EXCLUDES(mutex_);

  /// Makes the next pop return `error`, once.
  void tell(Error error) SWAVD_EXCLUDES(mutex_);

  /// The next item of any partition, in turns; nullopt after `timeout`.
  /// Errors: what `tell` or an item brought, kCancelled once closed.
  [[nodiscard]] Result<std::optional<ReadyItem>> pop_any(
      std::chrono::milliseconds timeout) SWAVD_EXCLUDES(mutex_);

  /// As `pop_any`, from one partition. Errors: also kInvalidArgument, a
  /// partition that is not here.
  [[nodiscard]] Result<std::optional<ReadyItem>> pop(
      std::int32_t partition,
      std::chrono::milliseconds timeout) SWAVD_EXCLUDES(mutex_);

  /// Wakes blocked pops; all later ones give kCancelled.
  void close() SWAVD_EXCLUDES(mutex_);

  [[nodiscard]] std::size_t size() const { return slots_.size(); }

 private:
  struct Slot {
    std::int32_t partition = 0;
    std::deque<ReadyItem> items;
    std::uint64_t bytes = 0;
  };

  template <typename Find>
  Result<std::optional<ReadyItem>> pop_from(
      std::chrono::milliseconds timeout,
      Find find) SWAVD_EXCLUDES(mutex_);

  std::optional<std::size_t> next_filled() SWAVD_REQUIRES(mutex_);

  const std::uint64_t bytes_each_;
  const std::function<void()> on_room_;
  mutable Mutex mutex_;
  CondVar filled_;
  std::vector<Slot> slots_;  // their number and partitions never change
  std::size_t turn_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::optional<Error> told_ SWAVD_GUARDED_BY(mutex_);
  bool closed_ SWAVD_GUARDED_BY(mutex_) = false;
};

}  // namespace swavd::ingest
