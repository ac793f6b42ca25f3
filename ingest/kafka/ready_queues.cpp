#include "ingest/kafka/ready_queues.h"

#include <fmt/format.h>

namespace swavd::ingest {

namespace {

/// Bytes an item is counted for: tiny records must not pile up either.
std::uint64_t cost(const ReadyItem& item) {
  constexpr std::uint64_t kOverhead = 512;
  return item.record.payload.size() + kOverhead;
}

}  // namespace

ReadyQueues::ReadyQueues(
    std::vector<std::int32_t> partitions,
    std::uint64_t bytes_each,
    std::function<void()> on_room)
    : bytes_each_(bytes_each),
      on_room_(std::move(on_room)),
      slots_(partitions.size()) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    slots_[i].partition = partitions[i];
  }
}

bool ReadyQueues::has_room(std::size_t slot) const {
  const MutexLock lock(mutex_);
  return slots_[slot].bytes < bytes_each_;
}

void ReadyQueues::push(std::size_t slot, ReadyItem item) {
  {
    const MutexLock lock(mutex_);
    slots_[slot].bytes += cost(item);
    slots_[slot].items.push_back(std::move(item));
  }
  filled_.notify_all();
}

void ReadyQueues::tell(Error error) {
  {
    const MutexLock lock(mutex_);
    told_ = std::move(error);
  }
  filled_.notify_all();
}

std::optional<std::size_t> ReadyQueues::next_filled() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::size_t slot = (turn_ + i) % slots_.size();
    if (!slots_[slot].items.empty()) {
      turn_ = slot + 1;
      return slot;
    }
  }
  return std::nullopt;
}

template <typename Find>
Result<std::optional<ReadyItem>> ReadyQueues::pop_from(
    std::chrono::milliseconds timeout,
    Find find) {
  std::optional<ReadyItem> item;
  bool made_room = false;
  {
    const MutexLock lock(mutex_);
    std::optional<std::size_t> slot;
    (void)filled_.wait_for(mutex_, timeout, [&]() SWAVD_REQUIRES(mutex_) {
      if (!closed_ && !told_) {
        slot = find();
      }
      return closed_ || told_ || slot;
    });
    if (closed_) {
      return Error{ErrorCode::kCancelled, "the stream was closed"};
    }
    if (told_) {
      Error error = *std::move(told_);
      told_.reset();
      return error;
    }
    if (!slot) {
      return std::optional<ReadyItem>{};
    }
    Slot& source = slots_[*slot];
    if (source.items.front().error) {
      return *source.items.front().error;
    }
    const bool was_full = source.bytes >= bytes_each_;
    item = std::move(source.items.front());
    source.items.pop_front();
    source.bytes -= cost(*item);
    made_room = was_full && source.bytes < bytes_each_;
  }
  if (made_room) {
    on_room_();
  }
  return item;
}

Result<std::optional<ReadyItem>> ReadyQueues::pop_any(
    std::chrono::milliseconds timeout) {
  return pop_from(
      timeout, [this]() SWAVD_REQUIRES(mutex_) { return next_filled(); });
}

Result<std::optional<ReadyItem>> ReadyQueues::pop(
    std::int32_t partition,
    std::chrono::milliseconds timeout) {
  std::size_t slot = 0;
  while (slot < slots_.size() && slots_[slot].partition != partition) {
    ++slot;
  }
  if (slot == slots_.size()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("partition {} is not read here", partition)};
  }
  return pop_from(timeout, [this, slot]() SWAVD_REQUIRES(mutex_) {
    return slots_[slot].items.empty() ? std::nullopt : std::optional(slot);
  });
}

void ReadyQueues::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  filled_.notify_all();
}

}  // namespace swavd::ingest
