#include "ingest/files/file_set_source.h"

#include <utility>

#include <fmt/format.h>

namespace swavd::ingest {

FileSetSource::FileSetSource(
    std::string path,
    std::size_t count,
    NextFile next_file)
    : path_(std::move(path)),
      count_(count),
      next_file_(std::move(next_file)) {}

Result<std::vector<PartitionBounds>> FileSetSource::bounds() {
  return std::vector<PartitionBounds>{
      {0, 0, static_cast<std::int64_t>(count_)}};
}

Result<std::vector<PartitionBounds>> FileSetSource::resolve_start(
    StartPoint start) {
  return start_in_files(path_, bounds(), start);
}

Status FileSetSource::assign(const std::vector<Position>& positions) {
  const bool fresh = positions.size() == 1 && positions[0].partition == 0 &&
                     positions[0].next == 0 && positions[0].done_above.empty();
  if (assigned_ || !fresh) {
    return Error{
        ErrorCode::kInvalidArgument,
        path_ + " is read once, from its first file on"};
  }
  assigned_ = true;
  return ok_status();
}

Result<Polled> FileSetSource::poll(std::chrono::milliseconds timeout) {
  (void)timeout;  // a file is always there, or none ever comes
  if (closed_.load()) {
    return Error{ErrorCode::kCancelled, path_ + " was closed"};
  }
  if (!assigned_) {
    return Error{ErrorCode::kInternal, path_ + " polled before assign"};
  }
  if (next_ == count_) {
    return Polled{PollState::kEnd, {}};
  }
  auto file = next_file_(next_);
  if (!file.ok()) {
    return file.error();
  }
  const auto offset = static_cast<std::int64_t>(next_++);
  return as_record(path_, offset, std::move(file).value());
}

Result<Polled> FileSetSource::poll_partition(
    std::int32_t partition,
    std::chrono::milliseconds timeout) {
  if (partition != 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("{} has no partition {}", path_, partition)};
  }
  return poll(timeout);
}

Result<std::vector<PartitionBounds>> start_in_files(
    const std::string& path,
    Result<std::vector<PartitionBounds>> all,
    StartPoint start) {
  if (start.at == StartAt::kTime) {
    return Error{
        ErrorCode::kInvalidArgument, path + ": files have no time to start at"};
  }
  if (all.ok() && start.at == StartAt::kLatest) {
    all.value().front().begin = all.value().front().end;
  }
  return all;
}

Polled as_record(const std::string& path, std::int64_t offset, PathFile file) {
  Polled polled;
  polled.state = PollState::kRecord;
  polled.record.address = {path, 0, offset};
  polled.record.key = file.name;
  polled.record.headers.emplace_back(kHeaderName, std::move(file.name));
  polled.record.payload = std::move(file.bytes);
  polled.record.label = std::move(file.label);
  return polled;
}

}  // namespace swavd::ingest
