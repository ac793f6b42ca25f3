#include "ingest/files/file_set_source.h"

#include <utility>

namespace swavd::ingest {

FileSetSource::FileSetSource(
    std::string path,
    std::size_t count,
    NextFile next_file)
    : FiniteSource(std::move(path)),
      count_(count),
      next_file_(std::move(next_file)) {}

Result<std::vector<PartitionBounds>> FileSetSource::bounds() {
  return std::vector<PartitionBounds>{
      {0, 0, static_cast<std::int64_t>(count_)}};
}

Status FileSetSource::begin_at(const Position& position) {
  if (position.next == 0 && position.done_above.empty()) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      path() + " is read once, from its first file on"};
}

Result<Polled> FileSetSource::read() {
  if (next_ == count_) {
    return Polled{PollState::kEnd, {}};
  }
  auto file = next_file_(next_);
  if (!file.ok()) {
    return file.error();
  }
  const auto offset = static_cast<std::int64_t>(next_++);
  return as_record(offset, std::move(file).value());
}

}  // namespace swavd::ingest
