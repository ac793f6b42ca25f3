#include "ingest/log/log_source.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ingest/log/reader_progress.h"
#include "ops/base/check.h"

namespace swavd::ingest {

namespace {

using std::chrono::milliseconds;

// A change is normally told by the watch; this bounds what a missed one costs.
constexpr milliseconds kLongestWait{1000};
// A busy writer changes its log thousands of times a second.
constexpr milliseconds kLeastBetweenLooks{2};

Error source_closed(const std::string& topic) {
  return {ErrorCode::kCancelled, fmt::format("read {}: closed", topic)};
}

/// The first offset whose record is of `time_ms` or later. Bisection:
/// timestamps grow along a partition, but for the disorder among records that
/// were published at the same time.
Result<std::int64_t> first_since(
    LogReader& reader,
    const PartitionBounds& bounds,
    std::int64_t time_ms) {
  std::int64_t low = bounds.begin;
  std::int64_t high = bounds.end;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    const auto record = reader.read(bounds.partition, middle);
    if (!record.ok()) {
      return record.error();
    }
    // What retention removed meanwhile was older.
    if (!record.value() || record.value()->timestamp_ms < time_ms) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

Result<std::unique_ptr<LogSource>> LogSource::open(
    const StreamUrl& url,
    const SourceOptions& options) {
  SWAVD_CHECK(options.world >= 1);
  const auto paths = log_paths(url);
  if (!paths.ok()) {
    return paths.error();
  }
  auto progress_file = reader_file(paths.value(), options.run);
  if (!progress_file.ok()) {
    return progress_file.error();
  }
  auto reader = LogReader::open(paths.value());
  if (!reader.ok()) {
    return reader.error();
  }
  auto watch = FolderWatch::open(paths.value().wal);
  if (!watch.ok()) {
    return watch.error();
  }
  // Not make_unique: the constructor is private.
  return std::unique_ptr<LogSource>(new LogSource(
      url.topic,
      std::move(progress_file).value(),
      options,
      std::move(watch).value(),
      paths.value(),
      std::move(reader).value()));
}

LogSource::LogSource(
    std::string topic,
    std::filesystem::path progress_file,
    SourceOptions options,
    std::unique_ptr<FolderWatch> watch,
    LogPaths paths,
    std::unique_ptr<LogReader> reader)
    : topic_(std::move(topic)),
      progress_file_(std::move(progress_file)),
      options_(std::move(options)),
      watch_(std::move(watch)),
      database_id_(reader->id()),
      connection_(std::move(paths), std::move(reader), *watch_),
      cursors_(topic_, options_.jump_gaps ? OnGap::kJump : OnGap::kStop) {}

Result<std::string> LogSource::stream_id() {
  return fmt::format("log/{}/{}", database_id_, topic_);
}

Result<std::vector<PartitionBounds>> LogSource::bounds() {
  return resolve_start({StartAt::kEarliest, 0});
}

Result<std::vector<PartitionBounds>> LogSource::resolve_start(
    StartPoint start) {
  if (closed_) {
    return source_closed(topic_);
  }
  const MutexLock lock(mutex_);
  SWAVD_RETURN_IF_ERROR(connection_.settle());
  std::vector<PartitionBounds> all;
  for (std::int32_t p = 0; p < connection_.partitions(); ++p) {
    const auto bounds = start_of(p, start);
    if (!bounds.ok()) {
      return bounds.error();
    }
    all.push_back(bounds.value());
  }
  return all;
}

Result<PartitionBounds> LogSource::start_of(
    std::int32_t partition,
    StartPoint start) {
  LogReader& reader = *connection_.reader();
  auto bounds = partition_bounds(reader, partition);
  if (!bounds.ok() || start.at == StartAt::kEarliest) {
    return bounds;
  }
  if (start.at == StartAt::kLatest) {
    bounds.value().begin = bounds.value().end;
    return bounds;
  }
  const auto first = first_since(reader, bounds.value(), start.time_ms);
  if (!first.ok()) {
    return first.error();
  }
  bounds.value().begin = first.value();
  return bounds;
}

Status LogSource::assign(const std::vector<Position>& positions) {
  if (closed_) {
    return source_closed(topic_);
  }
  {
    const MutexLock lock(mutex_);
    SWAVD_CHECK(cursors_.empty());
    SWAVD_RETURN_IF_ERROR(connection_.settle());
    LogCursors cursors = cursors_;
    for (const Position& position : positions) {
      SWAVD_RETURN_IF_ERROR(check_fits(position));
      if (position.partition % options_.world == options_.rank) {
        SWAVD_RETURN_IF_ERROR(cursors.add(position, *connection_.reader()));
      }
    }
    cursors_ = std::move(cursors);
  }
  tell_jumps();
  return ok_status();
}

Status LogSource::check_fits(const Position& position) {
  if (position.topic == topic_ && position.partition >= 0 &&
      position.partition < connection_.partitions()) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "a position of topic {} partition {} does not fit stream {} with "
          "{} partitions",
          position.topic,
          position.partition,
          connection_.paths().database.string(),
          connection_.partitions())};
}

Result<Polled> LogSource::poll(milliseconds timeout) {
  return poll_cursors(std::nullopt, timeout);
}

Result<Polled> LogSource::poll_partition(
    std::int32_t partition,
    milliseconds timeout) {
  return poll_cursors(partition, timeout);
}

Result<Polled> LogSource::poll_cursors(
    std::optional<std::int32_t> only,
    milliseconds timeout) {
  const auto deadline = clock_.steady() + timeout;
  while (!closed_) {
    auto taken = take_or_follow(only);
    tell_jumps();
    if (!taken.ok()) {
      return taken.error();
    }
    if (taken.value()) {
      return Polled{PollState::kRecord, *std::move(taken).value()};
    }
    const auto left =
        std::chrono::ceil<milliseconds>(deadline - clock_.steady());
    if (left <= milliseconds::zero()) {
      return Polled{};
    }
    wait_for_change(left);
  }
  return source_closed(topic_);
}

Result<std::optional<Record>> LogSource::take_or_follow(
    std::optional<std::int32_t> only) {
  const MutexLock lock(mutex_);
  auto taken = cursors_.take(connection_, only);
  if (!taken.ok() || taken.value()) {
    return taken;
  }
  // Before looking, so that a change from here on ends the wait.
  watch_->drain();
  const auto followed = connection_.follow();
  if (!followed.ok()) {
    return followed.error();
  }
  return cursors_.take(connection_, only);
}

void LogSource::tell_jumps() {
  std::vector<Jump> jumps;
  {
    const MutexLock lock(mutex_);
    jumps = cursors_.take_jumps();
  }
  for (const Jump& jump : jumps) {
    if (options_.on_gap) {
      options_.on_gap(jump.partition, jump.range.first, jump.range.last);
    }
  }
}

void LogSource::wait_for_change(milliseconds timeout) {
  bool outage = false;
  std::chrono::steady_clock::time_point followed;
  {
    const MutexLock lock(mutex_);
    outage = connection_.outage();
    followed = connection_.followed();
  }
  if (outage) {
    watch_->pause(std::min(timeout, kLongestWait));
    return;
  }
  watch_->wait(std::min(timeout, kLongestWait));
  if (clock_.steady() - followed < kLeastBetweenLooks) {
    watch_->pause(kLeastBetweenLooks);
  }
}

void LogSource::publish_progress(const std::vector<Position>& positions) {
  const MutexLock lock(progress_mutex_);
  const Status written = write_reader_progress(
      progress_file_, database_id_, positions, clock_.unix_ms());
  if (!written.ok() && options_.events.on_error) {
    options_.events.on_error("reader_progress", written.error().message);
  }
}

void LogSource::close() {
  closed_ = true;
  watch_->wake();
}

}  // namespace swavd::ingest
