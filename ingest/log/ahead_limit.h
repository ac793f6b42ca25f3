#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace swavd::ingest {

/// The oldest offset that a partition still holds and the one after its
/// newest.
struct PartitionSpan {
  std::int64_t first = 0;
  std::int64_t next = 0;
};

/// Keeps a writer within a number of records of the slowest reader, summed
/// over all partitions. While nobody has published progress for a partition,
/// everything it holds counts as unread; what retention removed does not.
///
/// Not thread-safe.
class AheadLimit {
 public:
  /// `readers` is the folder of the readers' files, `stream_id` the stream
  /// they must belong to. `max_ahead` 0: no bound.
  AheadLimit(
      std::filesystem::path readers,
      std::string stream_id,
      std::uint64_t max_ahead);

  /// Whether one more record may follow `published` records (the sum of the
  /// partitions' next offsets), by what `look` saw last.
  [[nodiscard]] bool allows(std::uint64_t published) const;

  /// Reads the readers' files again. Gives messages about files that cannot
  /// be read, each once.
  [[nodiscard]] std::vector<std::string> look(
      std::span<const PartitionSpan> partitions);

  /// Readers seen by the last `look`, for people; "no reader" without any.
  [[nodiscard]] const std::string& readers() const { return names_; }

 private:
  const std::filesystem::path folder_;
  const std::string stream_id_;
  const std::uint64_t max_ahead_;
  std::uint64_t consumed_ = 0;
  std::string names_ = "no reader";
  std::set<std::string> told_;
};

}  // namespace swavd::ingest
