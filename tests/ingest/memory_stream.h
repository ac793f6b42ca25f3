#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/position.h"
#include "ingest/record.h"
#include "ingest/resume.h"
#include "ingest/sink.h"
#include "ingest/source.h"
#include "ingest/streams.h"
#include "ops/base/bytes.h"
#include "ops/base/check.h"
#include "ops/base/mutex.h"
#include "ops/base/result.h"

namespace swavd::ingest::testing {

/// A stream in memory that keeps the whole contract of Source and Sink, with
/// the mishaps of a real one at hand: retention, holes, outages, a topic made
/// anew. Thread-safe. Sources and sinks keep it alive.
class MemoryStream : public std::enable_shared_from_this<MemoryStream> {
 public:
  static std::shared_ptr<MemoryStream> make(
      std::string topic,
      std::int32_t partitions) {
    return std::shared_ptr<MemoryStream>(
        new MemoryStream(std::move(topic), partitions));
  }

  /// Appends to a partition and gives the offset.
  std::int64_t append(
      std::int32_t partition,
      ByteVector payload,
      Headers headers = {},
      std::string key = {},
      std::int64_t timestamp_ms = 1) {
    const MutexLock lock(mutex_);
    return append_locked(
        partition,
        {std::move(key), std::move(payload), std::move(headers), timestamp_ms});
  }

  std::int64_t append(std::int32_t partition, std::string_view payload) {
    const Bytes bytes = as_bytes(payload);
    return append(partition, ByteVector(bytes.begin(), bytes.end()));
  }

  /// Leaves out `count` offsets, as compaction and transactions do.
  void make_hole(std::int32_t partition, std::int64_t count) {
    const MutexLock lock(mutex_);
    part(partition).end += count;
  }

  /// Retention: drops all records below `begin`.
  void drop_below(std::int32_t partition, std::int64_t begin) {
    const MutexLock lock(mutex_);
    Part& target = part(partition);
    target.records.erase(
        target.records.begin(), target.records.lower_bound(begin));
    target.begin = std::max(target.begin, begin);
    changed_.notify_all();
  }

  /// Adds a partition and gives its number.
  std::int32_t add_partition() {
    const MutexLock lock(mutex_);
    parts_.emplace_back();
    return static_cast<std::int32_t>(parts_.size() - 1);
  }

  /// Deletes the topic and makes it anew, empty, under the same name.
  void make_anew() {
    const MutexLock lock(mutex_);
    for (Part& each : parts_) {
      each = Part{};
    }
    changed_.notify_all();
  }

  /// While true, reads and writes behave as in an outage of the brokers.
  void set_unavailable(bool unavailable) {
    const MutexLock lock(mutex_);
    unavailable_ = unavailable;
    outages_ += unavailable ? 1 : 0;
    changed_.notify_all();
  }

  /// At most so many records per partition above the oldest: publishers
  /// block beyond it until `drop_below`. 0: no bound.
  void set_capacity(std::int64_t records) {
    const MutexLock lock(mutex_);
    capacity_ = records;
    changed_.notify_all();
  }

  /// Publishers that are blocked now, and waits for a number of them: lets a
  /// test know that the other side has arrived.
  void wait_for_blocked_publishers(std::int32_t count) {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [&] { return blocked_publishers_ >= count; });
  }

  void wait_for_blocked_pollers(std::int32_t count) {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [&] { return blocked_pollers_ >= count; });
  }

  /// What `publish_progress` was told last.
  std::vector<Position> progress() const {
    const MutexLock lock(mutex_);
    return progress_;
  }

  /// All records of a partition that exist now.
  std::vector<Record> records(std::int32_t partition) const {
    const MutexLock lock(mutex_);
    std::vector<Record> all;
    for (const auto& [offset, record] :
         parts_.at(static_cast<std::size_t>(partition)).records) {
      all.push_back(record);
    }
    return all;
  }

  std::unique_ptr<Source> source(const SourceOptions& options = {});

  std::unique_ptr<Sink> sink(const SinkOptions& options = {});

 private:
  friend class MemorySource;
  friend class MemorySink;

  struct Part {
    std::map<std::int64_t, Record> records;
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };

  MemoryStream(std::string topic, std::int32_t partitions)
      : topic_(std::move(topic)),
        parts_(static_cast<std::size_t>(partitions)) {}

  Part& part(std::int32_t partition) SWAVD_REQUIRES(mutex_) {
    return parts_.at(static_cast<std::size_t>(partition));
  }

  bool full(std::int32_t partition) SWAVD_REQUIRES(mutex_) {
    const Part& target = part(partition);
    return capacity_ > 0 && target.end - target.begin >= capacity_;
  }

  std::int64_t append_locked(std::int32_t partition, OutRecord out)
      SWAVD_REQUIRES(mutex_) {
    Part& target = part(partition);
    const std::int64_t offset = target.end++;
    Record record;
    record.address = {topic_, partition, offset};
    record.key = std::move(out.key);
    record.payload = std::move(out.payload);
    record.headers = std::move(out.headers);
    record.timestamp_ms = out.timestamp_ms < 0 ? 1 : out.timestamp_ms;
    target.records.emplace(offset, std::move(record));
    changed_.notify_all();
    return offset;
  }

  const std::string topic_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Part> parts_ SWAVD_GUARDED_BY(mutex_);
  bool unavailable_ SWAVD_GUARDED_BY(mutex_) = false;
  std::uint64_t outages_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::int64_t capacity_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::int32_t blocked_publishers_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::int32_t blocked_pollers_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::vector<Position> progress_ SWAVD_GUARDED_BY(mutex_);
};

class MemorySource final : public Source {
 public:
  MemorySource(std::shared_ptr<MemoryStream> stream, SourceOptions options)
      : stream_(std::move(stream)),
        options_(std::move(options)) {}

  Result<std::string> stream_id() override { return "memory/1/" + topic(); }

  const std::string& topic() const override { return stream_->topic_; }

  Result<std::vector<PartitionBounds>> bounds() override {
    const MutexLock lock(stream_->mutex_);
    if (closed_) {
      return cancelled();
    }
    if (stream_->unavailable_) {
      return outage();
    }
    return bounds_locked();
  }

  Result<std::vector<PartitionBounds>> resolve_start(
      StartPoint start) override {
    const MutexLock lock(stream_->mutex_);
    if (stream_->unavailable_) {
      return outage();
    }
    auto all = bounds_locked();
    for (PartitionBounds& each : all) {
      if (start.at == StartAt::kLatest) {
        each.begin = each.end;
      } else if (start.at == StartAt::kTime) {
        each.begin = first_since(each, start.time_ms);
      }
    }
    return all;
  }

  Status assign(const std::vector<Position>& positions) override {
    const MutexLock lock(stream_->mutex_);
    if (stream_->unavailable_) {
      return outage();
    }
    const auto all = bounds_locked();
    for (const Position& position : positions) {
      if (position.partition % options_.world != options_.rank) {
        continue;
      }
      if (position.partition >= static_cast<std::int32_t>(all.size())) {
        return Error{
            ErrorCode::kNotFound,
            topic() + " has no partition " +
                std::to_string(position.partition)};
      }
      SWAVD_RETURN_IF_ERROR(
          take(position, all[static_cast<std::size_t>(position.partition)]));
    }
    turn_ = cursors_.begin();
    return ok_status();
  }

  Result<Polled> poll(std::chrono::milliseconds timeout) override {
    return poll_while(timeout, [this] { return any_record(); });
  }

  Result<Polled> poll_partition(
      std::int32_t partition,
      std::chrono::milliseconds timeout) override {
    return poll_while(
        timeout, [this, partition]() -> Result<std::optional<Record>> {
          const auto cursor = cursors_.find(partition);
          if (cursor == cursors_.end()) {
            return Error{
                ErrorCode::kInvalidArgument,
                "partition " + std::to_string(partition) + " is not assigned"};
          }
          return record_at(cursor->first, cursor->second);
        });
  }

  void publish_progress(const std::vector<Position>& positions) override {
    const MutexLock lock(stream_->mutex_);
    stream_->progress_ = positions;
  }

  void close() override {
    const MutexLock lock(stream_->mutex_);
    closed_ = true;
    stream_->changed_.notify_all();
  }

 private:
  struct Cursor {
    Position position;
    std::int64_t next = 0;
  };

  Error cancelled() const {
    return {ErrorCode::kCancelled, topic() + " was closed"};
  }

  Error outage() const {
    return {ErrorCode::kUnavailable, topic() + " is unavailable"};
  }

  std::vector<PartitionBounds> bounds_locked() const {
    std::vector<PartitionBounds> all;
    std::int32_t number = 0;
    for (const auto& each : stream_->parts_) {
      all.push_back({number++, each.begin, each.end});
    }
    return all;
  }

  std::int64_t first_since(const PartitionBounds& bounds, std::int64_t time_ms)
      const {
    for (const auto& [offset, record] :
         stream_->parts_[static_cast<std::size_t>(bounds.partition)].records) {
      if (record.timestamp_ms >= time_ms) {
        return offset;
      }
    }
    return bounds.end;
  }

  Status take(const Position& position, const PartitionBounds& bounds) {
    const auto plan = plan_resume(position, bounds, on_gap());
    if (!plan.ok()) {
      return plan.error();
    }
    if (has_readable_fingerprint(position, bounds)) {
      const auto& records = stream_->part(position.partition).records;
      const auto last = records.find(position.last->offset);
      if (last != records.end()) {
        SWAVD_RETURN_IF_ERROR(check_fingerprint(
            position, last->second.payload, last->second.timestamp_ms));
      }
    }
    tell_gap(position.partition, plan.value().gap);
    cursors_[position.partition] = {position, plan.value().from};
    return ok_status();
  }

  OnGap on_gap() const {
    return options_.jump_gaps ? OnGap::kJump : OnGap::kStop;
  }

  void tell_gap(std::int32_t partition, std::optional<OffsetRange> gap) {
    if (gap && options_.on_gap) {
      options_.on_gap(partition, gap->first, gap->last);
    }
  }

  template <typename Take>
  Result<Polled> poll_while(std::chrono::milliseconds timeout, Take take_one) {
    const MutexLock lock(stream_->mutex_);
    std::optional<Result<Polled>> outcome;
    ++stream_->blocked_pollers_;
    stream_->changed_.notify_all();
    const auto try_once = [&] {
      outcome = attempt(take_one);
      return outcome.has_value();
    };
    if (timeout.count() > 0) {
      (void)stream_->changed_.wait_for(stream_->mutex_, timeout, try_once);
    } else {
      (void)try_once();  // a wait for no time puts the thread to sleep, too
    }
    --stream_->blocked_pollers_;
    return outcome ? *std::move(outcome) : Polled{};
  }

  template <typename Take>
  std::optional<Result<Polled>> attempt(Take& take_one) {
    if (closed_) {
      return cancelled();
    }
    if (stream_->unavailable_) {
      if (told_outage_ == stream_->outages_) {
        return std::nullopt;
      }
      told_outage_ = stream_->outages_;
      if (options_.events.on_error) {
        options_.events.on_error("stream_unavailable", topic());
      }
      return outage();
    }
    Result<std::optional<Record>> taken = take_one();
    if (!taken.ok()) {
      return taken.error();
    }
    if (!taken.value()) {
      return std::nullopt;
    }
    return Polled{PollState::kRecord, *std::move(taken).value()};
  }

  /// The next record in turn: after a partition was served, all others are
  /// asked before it is again.
  Result<std::optional<Record>> any_record() {
    for (std::size_t i = 0; i < cursors_.size(); ++i) {
      if (turn_ == cursors_.end()) {
        turn_ = cursors_.begin();
      }
      const auto current = turn_++;
      auto record = record_at(current->first, current->second);
      if (!record.ok() || record.value()) {
        return record;
      }
    }
    return std::optional<Record>{};
  }

  Result<std::optional<Record>> record_at(
      std::int32_t partition,
      Cursor& cursor) {
    const auto& source = stream_->part(partition);
    cursor.position.next = cursor.next;
    if (cursor.next < source.begin || cursor.next > source.end) {
      Position wanted = cursor.position;
      wanted.done_above.clear();
      const auto plan =
          plan_resume(wanted, {partition, source.begin, source.end}, on_gap());
      if (!plan.ok()) {
        return plan.error();
      }
      tell_gap(partition, plan.value().gap);
      cursor.next = plan.value().from;
    }
    auto found = source.records.lower_bound(cursor.next);
    while (found != source.records.end() &&
           holds(cursor.position.done_above, found->first)) {
      ++found;
    }
    if (found == source.records.end()) {
      return std::optional<Record>{};
    }
    cursor.next = found->first + 1;
    return std::optional<Record>(found->second);
  }

  std::shared_ptr<MemoryStream> stream_;
  SourceOptions options_;
  std::map<std::int32_t, Cursor> cursors_;
  std::map<std::int32_t, Cursor>::iterator turn_;
  std::uint64_t told_outage_ = 0;
  bool closed_ = false;  // guarded by the stream's mutex
};

class MemorySink final : public Sink {
 public:
  MemorySink(std::shared_ptr<MemoryStream> stream, SinkOptions options)
      : stream_(std::move(stream)),
        options_(std::move(options)) {}

  Status publish(OutRecord record) override {
    if (record.payload.size() > options_.max_record_bytes) {
      return Error{
          ErrorCode::kInvalidArgument,
          "record of " + std::to_string(record.payload.size()) +
              " bytes: the stream takes at most " +
              std::to_string(options_.max_record_bytes)};
    }
    const MutexLock lock(stream_->mutex_);
    const auto partition = static_cast<std::int32_t>(
        std::hash<std::string>{}(record.key) % stream_->parts_.size());
    ++stream_->blocked_publishers_;
    stream_->changed_.notify_all();
    stream_->changed_.wait(stream_->mutex_, [&] {
      return closed_ || (!stream_->unavailable_ && !stream_->full(partition));
    });
    --stream_->blocked_publishers_;
    if (closed_) {
      return Error{ErrorCode::kCancelled, stream_->topic_ + " was closed"};
    }
    stream_->append_locked(partition, std::move(record));
    return ok_status();
  }

  Status flush(std::chrono::milliseconds timeout) override {
    (void)timeout;  // what was published is there
    return ok_status();
  }

  void close() override {
    const MutexLock lock(stream_->mutex_);
    closed_ = true;
    stream_->changed_.notify_all();
  }

 private:
  std::shared_ptr<MemoryStream> stream_;
  SinkOptions options_;
  bool closed_ = false;  // guarded by the stream's mutex
};

inline std::unique_ptr<Source> MemoryStream::source(
    const SourceOptions& options) {
  return std::make_unique<MemorySource>(shared_from_this(), options);
}

inline std::unique_ptr<Sink> MemoryStream::sink(const SinkOptions& options) {
  return std::make_unique<MemorySink>(shared_from_this(), options);
}

}  // namespace swavd::ingest::testing
