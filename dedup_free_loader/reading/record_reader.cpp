#include "dedup_free_loader/reading/record_reader.h"

#include <algorithm>
#include <utility>

#include "ops/base/check.h"

namespace swavd::loader {

namespace {

using ingest::PollState;
using std::chrono::milliseconds;

// While held records are given out of a stream that has nothing new, it is
// asked this often: looking costs more than giving.
constexpr milliseconds kBetweenLooks{10};

WindowOptions window_options(const LoaderOptions& options) {
  WindowOptions window;
  window.seed = options.seed;
  window.records = options.shuffle_records;
  window.bytes = options.shuffle_bytes /
                 std::max<std::size_t>(1, options.partitions.size());
  return window;
}

}  // namespace

RecordReader::RecordReader(
    ingest::Source& source,
    const LoaderOptions& options,
    const Clock& clock)
    : source_(source),
      options_(options),
      clock_(clock),
      window_options_(window_options(options)),
      turn_(options.first_turn) {
  SWAVD_CHECK(options.shuffle_records >= 1);
  SWAVD_CHECK(options.order == Order::kArrival || !options.partitions.empty());
}

Result<Read> RecordReader::next(milliseconds timeout) {
  return options_.order == Order::kArrival ? next_there(timeout)
                                           : next_in_turn(timeout);
}

std::size_t RecordReader::held_records() const {
  std::size_t records = 0;
  for (const auto& [partition, window] : windows_) {
    records += window.records();
  }
  return records;
}

std::uint64_t RecordReader::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [partition, window] : windows_) {
    bytes += window.bytes();
  }
  return bytes;
}

Result<Read> RecordReader::next_there(milliseconds timeout) {
  // A large record may have come in for a small one.
  if (brim_ && window_of(*brim_).full() && window_of(*brim_).settled()) {
    return give(window_of(*brim_));
  }
  const TimePoint now = clock_.steady();
  if (PartitionWindow* late = due(now); late != nullptr) {
    return give(*late);
  }
  PartitionWindow* rest = settled_one();
  if (rest == nullptr || now >= look_again_) {
    const auto came = take_in(
        std::nullopt,
        rest == nullptr ? until_due(now, timeout) : milliseconds(0));
    if (!came.ok()) {
      return came.error();
    }
    brim_ = came.value();
    if (brim_) {
      PartitionWindow& window = window_of(*brim_);
      return window.settled() ? Result<Read>(give(window)) : Read{};
    }
    look_again_ = now + kBetweenLooks;
    rest = settled_one();
  }
  if (rest != nullptr) {
    return give(*rest);
  }
  return nothing_more();
}

Result<Read> RecordReader::next_in_turn(milliseconds timeout) {
  const std::int32_t partition =
      options_.partitions[static_cast<std::size_t>(turn_)];
  PartitionWindow& window = window_of(partition);
  const bool settled = window.settled();
  if (!settled || !window.full()) {
    const auto came = take_in(partition, settled ? milliseconds(0) : timeout);
    if (!came.ok()) {
      return came.error();
    }
  }
  if (!window.settled()) {
    return nothing_more();
  }
  turn_ = (turn_ + 1) % static_cast<std::int32_t>(options_.partitions.size());
  return give(window);
}

/// Takes in a record, of partition `only` when given, and tells its partition.
Result<std::optional<std::int32_t>> RecordReader::take_in(
    std::optional<std::int32_t> only,
    milliseconds timeout) {
  std::optional<std::int32_t> nothing;
  if (ended_) {
    return nothing;
  }
  auto polled =
      only ? source_.poll_partition(*only, timeout) : source_.poll(timeout);
  if (options_.take_gaps) {
    for (const PartitionRange& gap : options_.take_gaps()) {
      window_of(gap.partition).add_gap(gap);
    }
  }
  if (!polled.ok()) {
    if (polled.error().code == ErrorCode::kUnavailable) {
      return nothing;  // told by the source; it blocks while it waits
    }
    if (polled.error().code == ErrorCode::kCancelled) {
      return polled.error();
    }
    failure_ = polled.error();
    end();
    return nothing;
  }
  if (polled.value().state == PollState::kEnd) {
    end();
    return nothing;
  }
  if (polled.value().state == PollState::kIdle) {
    return nothing;
  }
  ingest::Record record = std::move(polled).value().record;
  const std::int32_t partition = record.address.partition;
  window_of(partition).add(std::move(record), clock_.steady());
  return std::optional(partition);
}

/// No more comes in; what is held still goes out.
void RecordReader::end() {
  ended_ = true;
  for (auto& [partition, window] : windows_) {
    window.end();
  }
}

Result<Read> RecordReader::nothing_more() const {
  if (failure_) {
    return *failure_;
  }
  Read nothing;
  nothing.state = ended_ ? PollState::kEnd : PollState::kIdle;
  return nothing;
}

PartitionWindow& RecordReader::window_of(std::int32_t partition) {
  return windows_.try_emplace(partition, partition, window_options_)
      .first->second;
}

/// A window whose records have waited for their block for long enough.
PartitionWindow* RecordReader::due(TimePoint now) {
  for (auto& [partition, window] : windows_) {
    const auto since = window.waiting_since();
    if (since && now - *since >= options_.shuffle_wait) {
      return &window;
    }
  }
  return nullptr;
}

/// The settled window that was not asked for the longest time.
PartitionWindow* RecordReader::settled_one() {
  const auto first = windows_.upper_bound(after_);
  const auto settled = [](auto& entry) { return entry.second.settled(); };
  auto found = std::find_if(first, windows_.end(), settled);
  if (found == windows_.end()) {
    found = std::find_if(windows_.begin(), first, settled);
    if (found == first) {
      return nullptr;
    }
  }
  after_ = found->first;
  return &found->second;
}

milliseconds RecordReader::until_due(TimePoint now, milliseconds most) const {
  for (const auto& [partition, window] : windows_) {
    if (const auto since = window.waiting_since()) {
      const auto left =
          std::chrono::ceil<milliseconds>(*since + options_.shuffle_wait - now);
      most = std::clamp(left, milliseconds(0), most);
    }
  }
  return most;
}

Read RecordReader::give(PartitionWindow& window) {
  Read read;
  read.state = PollState::kRecord;
  read.drawn = window.draw(clock_.steady());
  read.turn_after = turn_;
  return read;
}

}  // namespace swavd::loader
