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
  for (const auto& [partition, line] : lines_) {
    records += line.window.records();
  }
  return records;
}

std::uint64_t RecordReader::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [partition, line] : lines_) {
    bytes += line.window.bytes();
  }
  return bytes;
}

Result<Read> RecordReader::next_there(milliseconds timeout) {
  // A large record may have come in for a small one.
  if (brim_ && window_of(*brim_).full() && window_of(*brim_).settled()) {
    return give(window_of(*brim_));
  }
  const TimePoint now = clock_.steady();
  const bool just_asked = now < look_again_;
  if (just_asked || asked_) {
    if (PartitionWindow* late = due(now); late != nullptr) {
      asked_ = false;  // before the next one: more of its block may have come
      return give(*late);
    }
  }
  PartitionWindow* rest = settled_one();
  if (rest == nullptr || !just_asked) {
    const auto came = take_in(
        std::nullopt,
        rest == nullptr ? until_due(now, timeout) : milliseconds(0));
    if (!came.ok()) {
      return came.error();
    }
    asked_ = true;
    brim_ = came.value();
    if (brim_) {
      look_again_ = now;
      PartitionWindow& window = window_of(*brim_);
      return window.settled() ? Result<Read>(give(window)) : Read{};
    }
    asked_in_vain(clock_.steady());
    look_again_ = now + kBetweenLooks;
    rest = settled_one();
  }
  return rest != nullptr ? Result<Read>(give(*rest)) : nothing_more();
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
  Line& line = lines_.at(partition);
  line.last_poll = ++polls_;
  line.in_vain_since.reset();
  return std::optional(partition);
}

/// No more comes in; what is held still goes out.
void RecordReader::end() {
  ended_ = true;
  for (auto& [partition, line] : lines_) {
    line.window.end();
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
  const auto found = lines_.find(partition);
  if (found != lines_.end()) {
    return found->second.window;
  }
  Line line{PartitionWindow(partition, window_options_), 0, std::nullopt};
  return lines_.emplace(partition, std::move(line)).first->second.window;
}

/// The source has nothing of any partition now.
void RecordReader::asked_in_vain(TimePoint now) {
  for (auto& [partition, line] : lines_) {
    line.in_vain_since = line.in_vain_since.value_or(now);
  }
}

/// When the records of a line have waited for their block for long enough;
/// nullopt while they need not, or their partition may have more: time alone
/// tells nothing, the caller may have been busy for all of it.
std::optional<RecordReader::TimePoint> RecordReader::due_at(
    const Line& line) const {
  const auto since = line.window.waiting_since();
  if (!since || !line.in_vain_since) {
    return std::nullopt;
  }
  return std::max(*since, *line.in_vain_since) + options_.shuffle_wait;
}

PartitionWindow* RecordReader::due(TimePoint now) {
  // A source gives of each partition in turn: one that was passed over so often
  // has none.
  constexpr std::uint64_t kRounds = 4;
  for (auto& [partition, line] : lines_) {
    if (polls_ - line.last_poll > kRounds * lines_.size()) {
      line.in_vain_since = line.in_vain_since.value_or(now);
    }
    if (const auto at = due_at(line); at && *at <= now) {
      return &line.window;
    }
  }
  return nullptr;
}

/// The settled window that was not asked for the longest time.
PartitionWindow* RecordReader::settled_one() {
  const auto first = lines_.upper_bound(after_);
  const auto settled = [](auto& entry) {
    return entry.second.window.settled();
  };
  auto found = std::find_if(first, lines_.end(), settled);
  if (found == lines_.end()) {
    found = std::find_if(lines_.begin(), first, settled);
    if (found == first) {
      return nullptr;
    }
  }
  after_ = found->first;
  return &found->second.window;
}

milliseconds RecordReader::until_due(TimePoint now, milliseconds most) const {
  for (const auto& [partition, line] : lines_) {
    if (const auto at = due_at(line)) {
      const auto left = std::chrono::ceil<milliseconds>(*at - now);
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
