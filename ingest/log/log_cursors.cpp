#include "ingest/log/log_cursors.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ops/base/clock.h"

namespace swavd::ingest {

namespace {

// The two states that a reader may be between are milliseconds apart.
constexpr std::chrono::seconds kLongestMiss{10};

/// One above the highest offset that `position` has consumed.
std::int64_t consumed_end(const Position& position) {
  return position.done_above.empty() ? position.next
                                     : position.done_above.back().last + 1;
}

/// The bounds that a position is held against. A power cut may take back the
/// mark that showed consumed records, but not them: they were durable. The
/// writer marks them again when it starts.
Result<PartitionBounds> resume_bounds(
    const Position& position,
    LogReader& reader) {
  auto bounds = partition_bounds(reader, position.partition);
  const std::int64_t consumed = consumed_end(position);
  if (!bounds.ok() || consumed <= bounds.value().end) {
    return bounds;
  }
  const auto there = reader.exists(position.partition, consumed - 1);
  if (!there.ok()) {
    return there.error();
  }
  if (there.value()) {
    bounds.value().end = consumed;
  }
  return bounds;
}

Status check_last(
    const Position& position,
    const PartitionBounds& bounds,
    LogReader& reader) {
  if (!has_readable_fingerprint(position, bounds)) {
    return ok_status();
  }
  const auto record = reader.read(position.partition, position.last->offset);
  if (!record.ok()) {
    return record.error();
  }
  if (!record.value()) {
    return ok_status();  // retention took it meanwhile
  }
  return check_fingerprint(
      position, record.value()->payload, record.value()->timestamp_ms);
}

}  // namespace

Result<PartitionBounds> partition_bounds(
    LogReader& reader,
    std::int32_t partition) {
  const auto first = reader.first_offset(partition);
  if (!first.ok()) {
    return first.error();
  }
  const std::int64_t end = reader.durable_end(partition);
  return PartitionBounds{partition, std::min(first.value(), end), end};
}

LogCursors::LogCursors(std::string topic, OnGap on_gap)
    : topic_(std::move(topic)),
      on_gap_(on_gap) {}

Status LogCursors::add(const Position& position, LogReader& reader) {
  const auto bounds = resume_bounds(position, reader);
  if (!bounds.ok()) {
    return bounds.error();
  }
  const auto plan = plan_resume(position, bounds.value(), on_gap_);
  if (!plan.ok()) {
    return plan.error();
  }
  SWAVD_RETURN_IF_ERROR(check_last(position, bounds.value(), reader));
  if (plan.value().gap) {
    jumps_.push_back({position.partition, *plan.value().gap});
  }
  cursors_.push_back(
      {position.partition, plan.value().from, position.done_above});
  return ok_status();
}

Result<std::optional<Record>> LogCursors::take(
    LogConnection& connection,
    std::optional<std::int32_t> only) {
  for (std::size_t i = 0; i < cursors_.size(); ++i) {
    const std::size_t index = (turn_ + i) % cursors_.size();
    Cursor& cursor = cursors_[index];
    if (only && cursor.partition != *only) {
      continue;
    }
    auto record = take_from(cursor, connection);
    if (!record.ok() || record.value()) {
      turn_ = index + 1;
      return record;
    }
  }
  return std::optional<Record>();
}

Result<std::optional<Record>> LogCursors::take_from(
    Cursor& cursor,
    LogConnection& connection) {
  while (LogReader* reader = connection.reader()) {
    while (holds(cursor.done_above, cursor.next)) {
      ++cursor.next;
    }
    if (cursor.next >= reader->durable_end(cursor.partition)) {
      break;
    }
    auto record = reader->read(cursor.partition, cursor.next);
    if (!record.ok()) {
      return record.error();
    }
    if (record.value()) {
      ++cursor.next;
      missing_since_.reset();
      record.value()->address.topic = topic_;
      return record;
    }
    const auto passed = pass_missing(cursor, connection);
    if (!passed.ok()) {
      return passed.error();
    }
    if (!passed.value()) {
      break;
    }
  }
  return std::optional<Record>();
}

/// The record at `cursor.next` should be there and is not: either retention
/// took it, or the reader is between two states of the database. True when
/// reading goes on, false when it is to be looked into again later.
Result<bool> LogCursors::pass_missing(
    Cursor& cursor,
    LogConnection& connection) {
  SWAVD_RETURN_IF_ERROR(connection.settle());
  LogReader& reader = *connection.reader();
  const auto there = reader.exists(cursor.partition, cursor.next);
  const auto bounds = partition_bounds(reader, cursor.partition);
  if (!there.ok() || !bounds.ok()) {
    return there.ok() ? bounds.error() : there.error();
  }
  if (there.value()) {
    return true;
  }
  if (bounds.value().begin > cursor.next) {
    SWAVD_RETURN_IF_ERROR(jump_gap(cursor, bounds.value()));
    return true;
  }
  const auto now = SystemClock().steady();
  if (now - missing_since_.value_or(now) < kLongestMiss) {
    missing_since_ = missing_since_.value_or(now);
    return false;
  }
  return Error{
      ErrorCode::kCorruption,
      fmt::format(
          "{}: the acknowledged record at partition {} offset {} is missing",
          connection.paths().database.string(),
          cursor.partition,
          cursor.next)};
}

Status LogCursors::jump_gap(Cursor& cursor, const PartitionBounds& bounds) {
  Position position;
  position.topic = topic_;
  position.partition = cursor.partition;
  position.next = cursor.next;
  position.done_above = cursor.done_above;
  PartitionBounds wide = bounds;
  wide.end = std::max(bounds.end, consumed_end(position));
  const auto plan = plan_resume(position, wide, on_gap_);
  if (!plan.ok()) {
    return plan.error();
  }
  if (plan.value().gap) {
    jumps_.push_back({cursor.partition, *plan.value().gap});
  }
  cursor.next = plan.value().from;
  return ok_status();
}

std::vector<Jump> LogCursors::take_jumps() {
  return std::exchange(jumps_, {});
}

}  // namespace swavd::ingest
