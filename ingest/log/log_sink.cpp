#include "ingest/log/log_sink.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "ingest/log/envelope.h"
#include "ops/base/bytes.h"
#include "ops/base/files.h"
#include "ops/base/log.h"
#include "ops/base/sha256.h"

namespace swavd::ingest {

namespace {

constexpr std::chrono::seconds kLongWait{30};
constexpr std::chrono::hours kForever{24 * 365};

constexpr std::string_view kReasonDiskFull = "disk_full";
constexpr std::string_view kReasonWriteFailed = "write_failed";
constexpr std::string_view kReasonReaderFile = "reader_file_unreadable";

std::uint64_t batch_bytes(const std::vector<StoredRecord>& batch) {
  std::uint64_t bytes = 0;
  for (const StoredRecord& record : batch) {
    bytes += record.bytes();
  }
  return bytes;
}

}  // namespace

LogSinkSurroundings real_surroundings() {
  LogSinkSurroundings surroundings;
  surroundings.clock = std::make_shared<SystemClock>();
  surroundings.free_bytes = free_bytes;
  return surroundings;
}

std::int32_t partition_of(std::string_view key, std::int32_t partitions) {
  const Digest digest = sha256(as_bytes(key));
  return static_cast<std::int32_t>(
      load_u64_le(digest.data()) % static_cast<std::uint64_t>(partitions));
}

LogSink::LogSink(
    std::unique_ptr<LogWriter> writer,
    LogPaths paths,
    SinkOptions options,
    LogSinkSurroundings surroundings)
    : options_(std::move(options)),
      surroundings_(std::move(surroundings)),
      paths_(std::move(paths)),
      writer_(std::move(writer)),
      next_(writer_->next_offsets()),
      written_(writer_->next_offsets()),
      limit_(paths_.readers, writer_->id(), options_.max_ahead_records),
      thread_("log-write", [this](const std::stop_token&) {
        write_batches();
      }) {}

LogSink::~LogSink() {
  close();
  thread_.join();
}

Status LogSink::check_size(const OutRecord& record) const {
  const std::uint64_t bytes = record.payload.size();
  if (bytes <= options_.max_record_bytes) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "a payload of {} bytes is larger than the {} that stream {} takes",
          bytes,
          options_.max_record_bytes,
          paths_.database.string())};
}

std::int32_t LogSink::choose_partition(const std::string& key) {
  const std::int32_t partitions = writer_->partitions();
  if (!key.empty()) {
    return partition_of(key, partitions);
  }
  const MutexLock lock(mutex_);
  return static_cast<std::int32_t>(
      keyless_++ % static_cast<std::uint64_t>(partitions));
}

Status LogSink::publish(OutRecord record) {
  SWAVD_RETURN_IF_ERROR(check_size(record));
  if (record.timestamp_ms < 0) {
    record.timestamp_ms = surroundings_.clock->unix_ms();
  }
  StoredRecord stored;
  stored.partition = choose_partition(record.key);
  stored.head = encode_head(record);
  stored.payload = std::move(record.payload);
  {
    const MutexLock lock(mutex_);
    SWAVD_RETURN_IF_ERROR(admit(stored.bytes()));
    buffered_bytes_ += stored.bytes();
    ++published_;
    ++next_[static_cast<std::size_t>(stored.partition)];
    queue_.push_back(std::move(stored));
  }
  pending_.notify_one();
  return ok_status();
}

Status LogSink::admit(std::uint64_t bytes) {
  while (!over()) {
    if (!has_room(bytes)) {
      room_.wait(mutex_, [&]() SWAVD_REQUIRES(mutex_) {
        return over() || has_room(bytes);
      });
    } else if (within_limit()) {
      return ok_status();
    } else {
      (void)room_.wait_for(
          mutex_, surroundings_.retry, [this]() SWAVD_REQUIRES(mutex_) {
            return over();
          });
    }
  }
  if (failure_ && !closed_) {
    return *failure_;
  }
  return Error{
      ErrorCode::kCancelled,
      fmt::format(
          "publish to {}: the sink is closed", paths_.database.string())};
}

bool LogSink::has_room(std::uint64_t bytes) const {
  return buffered_bytes_ == 0 ||
         buffered_bytes_ + bytes <= options_.buffer_bytes;
}

bool LogSink::over() const {
  return closed_ || failure_.has_value();
}

bool LogSink::within_limit() {
  const auto total = static_cast<std::uint64_t>(
      std::accumulate(next_.begin(), next_.end(), std::int64_t{0}));
  if (!limit_.allows(total)) {
    const auto now = surroundings_.clock->steady();
    if (now - looked_ >= surroundings_.retry) {
      looked_ = now;
      look_at_readers();
    }
  }
  if (limit_.allows(total)) {
    held_since_.reset();
    held_told_ = false;
    return true;
  }
  tell_long_wait();
  return false;
}

void LogSink::look_at_readers() {
  std::vector<PartitionSpan> spans;
  for (std::size_t p = 0; p < next_.size(); ++p) {
    // A partition that holds nothing lost to retention what it had; what is
    // still in the queue was never read.
    const auto first =
        writer_->first_offset(static_cast<std::int32_t>(p), written_[p]);
    spans.push_back({first.ok() ? first.value() : 0, next_[p]});
  }
  for (const std::string& message : limit_.look(spans)) {
    report(kReasonReaderFile, message);
  }
}

void LogSink::tell_long_wait() {
  const auto now = surroundings_.clock->steady();
  if (!held_since_) {
    held_since_ = now;
  }
  if (!held_told_ && now - *held_since_ >= kLongWait) {
    held_told_ = true;
    log(LogLevel::kInfo,
        "stream_waits_for_reader",
        "the writer is as far ahead of the slowest reader as it may be; a "
        "reader that is gone for good holds it until its file is removed",
        {{"stream", paths_.database.string()},
         {"readers", limit_.readers()},
         {"max_ahead_records", std::to_string(options_.max_ahead_records)}});
  }
}

Status LogSink::flush(std::chrono::milliseconds timeout) {
  const MutexLock lock(mutex_);
  const std::uint64_t target = published_;
  const bool reached = done_.wait_for(
      mutex_,
      std::min<std::chrono::milliseconds>(timeout, kForever),
      [&]() SWAVD_REQUIRES(mutex_) {
        return acknowledged_ >= target || failure_.has_value();
      });
  if (acknowledged_ >= target) {
    return ok_status();
  }
  if (reached) {
    return *failure_;
  }
  return Error{
      ErrorCode::kUnavailable,
      fmt::format(
          "flush of {}: {} records are not on disk after {} ms",
          paths_.database.string(),
          target - acknowledged_,
          timeout.count())};
}

void LogSink::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  room_.notify_all();
  pending_.notify_all();
}

void LogSink::write_batches() {
  while (true) {
    const std::vector<StoredRecord> batch = take_batch();
    if (batch.empty()) {
      return;
    }
    if (const Status written = write_batch(batch); !written.ok()) {
      fail(written.error());
      return;
    }
    acknowledge(batch);
  }
}

std::vector<StoredRecord> LogSink::take_batch() {
  const MutexLock lock(mutex_);
  pending_.wait(mutex_, [this]() SWAVD_REQUIRES(mutex_) {
    return closed_ || !queue_.empty();
  });
  std::vector<StoredRecord> batch;
  std::uint64_t bytes = 0;
  while (!queue_.empty() && (batch.empty() || bytes + queue_.front().bytes() <=
                                                  writer_->batch_limit())) {
    bytes += queue_.front().bytes();
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return batch;
}

Status LogSink::write_batch(const std::vector<StoredRecord>& batch) {
  SWAVD_RETURN_IF_ERROR(wait_for_disk(batch_bytes(batch)));
  SWAVD_RETURN_IF_ERROR(writer_->append(batch));
  return writer_->mark_durable();
}

Status LogSink::wait_for_disk(std::uint64_t batch_bytes) {
  bool told = false;
  while (true) {
    const auto free = surroundings_.free_bytes(paths_.database);
    if (!free.ok()) {
      return free.error();
    }
    // What lies in memory is written once more, as tables.
    const std::uint64_t needed =
        2 * batch_bytes + writer_->unflushed_bytes() + kDiskReserveBytes;
    if (free.value() >= needed) {
      return ok_status();
    }
    const std::string text = fmt::format(
        "{}: {} bytes free, {} needed to go on writing; publishers wait until "
        "there is room",
        paths_.database.string(),
        free.value(),
        needed);
    if (!std::exchange(told, true)) {
      report(kReasonDiskFull, text);
    }
    const MutexLock lock(mutex_);
    if (pending_.wait_for(
            mutex_, surroundings_.retry, [this]() SWAVD_REQUIRES(mutex_) {
              return closed_;
            })) {
      return Error{ErrorCode::kExhausted, text};
    }
  }
}

void LogSink::acknowledge(const std::vector<StoredRecord>& batch) {
  {
    const MutexLock lock(mutex_);
    acknowledged_ += batch.size();
    buffered_bytes_ -= batch_bytes(batch);
    written_ = writer_->next_offsets();
  }
  room_.notify_all();
  done_.notify_all();
}

void LogSink::fail(const Error& error) {
  std::uint64_t lost = 0;
  {
    const MutexLock lock(mutex_);
    lost = published_ - acknowledged_;
    failure_ = error.with_context(
        fmt::format("{} records were not acknowledged", lost));
    queue_.clear();
  }
  room_.notify_all();
  done_.notify_all();
  report(kReasonWriteFailed, error.message);
}

void LogSink::report(std::string_view reason, const std::string& text) const {
  if (options_.events.on_error) {
    options_.events.on_error(reason, text);
  }
}

}  // namespace swavd::ingest
