#include "ingest/log/ahead_limit.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ingest/log/reader_progress.h"

namespace swavd::ingest {

AheadLimit::AheadLimit(
    std::filesystem::path readers,
    std::string stream_id,
    std::uint64_t max_ahead)
    : folder_(std::move(readers)),
      stream_id_(std::move(stream_id)),
      max_ahead_(max_ahead) {}

bool AheadLimit::allows(std::uint64_t published) const {
  return max_ahead_ == 0 || published < consumed_ + max_ahead_;
}

std::vector<std::string> AheadLimit::look(
    std::span<const PartitionSpan> partitions) {
  SlowestReaders slowest = slowest_readers(folder_, stream_id_);
  consumed_ = 0;
  for (std::size_t p = 0; p < partitions.size(); ++p) {
    const auto& [first, next] = partitions[p];
    const auto reader = slowest.next.find(static_cast<std::int32_t>(p));
    const std::int64_t read =
        reader == slowest.next.end() ? first : reader->second;
    // A reader may name more than there is, or less than retention has left.
    consumed_ +=
        static_cast<std::uint64_t>(std::max(first, std::min(read, next)));
  }
  names_ = slowest.readers.empty()
               ? "no reader"
               : fmt::format("{}", fmt::join(slowest.readers, ", "));
  std::erase_if(slowest.unreadable, [this](const std::string& message) {
    return !told_.insert(message).second;
  });
  return std::move(slowest.unreadable);
}

}  // namespace swavd::ingest
