#include "ingest/files/finite_source.h"

#include <utility>

#include <fmt/format.h>

namespace swavd::ingest {

Result<std::vector<PartitionBounds>> FiniteSource::resolve_start(
    StartPoint start) {
  if (start.at == StartAt::kTime) {
    return Error{
        ErrorCode::kInvalidArgument,
        path_ + ": files have no time to start at"};
  }
  auto all = bounds();
  if (all.ok() && start.at == StartAt::kLatest) {
    all.value().front().begin = all.value().front().end;
  }
  return all;
}

Status FiniteSource::assign(const std::vector<Position>& positions) {
  if (assigned_ || positions.size() != 1 || positions[0].partition != 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        path_ + " has one partition, 0, and is assigned once"};
  }
  SWAVD_RETURN_IF_ERROR(begin_at(positions[0]));
  assigned_ = true;
  return ok_status();
}

Result<Polled> FiniteSource::poll(std::chrono::milliseconds timeout) {
  (void)timeout;  // a file is always there, or none ever comes
  while (!closed_.load()) {
    if (!assigned_) {
      return Error{ErrorCode::kInternal, path_ + " polled before assign"};
    }
    auto polled = read();
    if (!polled.ok() || polled.value().state != PollState::kIdle) {
      return polled;
    }
  }
  return Error{ErrorCode::kCancelled, path_ + " was closed"};
}

Result<Polled> FiniteSource::poll_partition(
    std::int32_t partition,
    std::chrono::milliseconds timeout) {
  if (partition != 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("{} has no partition {}", path_, partition)};
  }
  return poll(timeout);
}

Polled FiniteSource::as_record(std::int64_t offset, PathFile file) const {
  Polled polled;
  polled.state = PollState::kRecord;
  polled.record.address = {path_, 0, offset};
  polled.record.key = file.name;
  polled.record.headers.emplace_back(kHeaderName, std::move(file.name));
  polled.record.payload = std::move(file.bytes);
  polled.record.label = std::move(file.label);
  return polled;
}

}  // namespace swavd::ingest
