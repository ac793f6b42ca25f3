#include "state/s3/part_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace swavd::state {

PartReader::PartReader(
    const std::function<Result<Bytes>()>& source,
    std::string name,
    std::uint64_t bytes)
    : source_(source),
      name_(std::move(name)),
      bytes_(bytes),
      left_(bytes) {}

Error PartReader::wrong_length() const {
  return {
      ErrorCode::kIo,
      fmt::format("{} has not the {} bytes announced", name_, bytes_)};
}

Result<ByteVector> PartReader::next(std::uint64_t size) {
  const std::uint64_t wanted = std::min(size, left_);
  ByteVector part;
  part.reserve(wanted);
  while (part.size() < wanted) {
    if (piece_.empty()) {
      const auto piece = source_();
      if (!piece.ok()) {
        return piece.error();
      }
      if (piece.value().empty()) {
        return wrong_length();
      }
      piece_ = piece.value();
    }
    const std::size_t taken =
        std::min<std::size_t>(piece_.size(), wanted - part.size());
    part.insert(part.end(), piece_.begin(), piece_.begin() + taken);
    piece_ = piece_.subspan(taken);
  }
  left_ -= wanted;
  if (left_ == 0) {
    SWAVD_RETURN_IF_ERROR(expect_end());
  }
  return part;
}

Status PartReader::expect_end() {
  if (!piece_.empty()) {
    return wrong_length();
  }
  const auto end = source_();
  if (!end.ok()) {
    return end.error();
  }
  return end.value().empty() ? ok_status() : Status(wrong_length());
}

}  // namespace swavd::state
