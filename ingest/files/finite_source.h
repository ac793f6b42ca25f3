#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "ingest/paths.h"
#include "ingest/source.h"

namespace swavd::ingest {

/// What sources over the files of a PATH have in common: one partition, which
/// is assigned once and read to its end. Topic and stream are the PATH.
class FiniteSource : public Source {
 public:
  Result<std::string> stream_id() final { return "path/" + path_; }

  const std::string& topic() const final { return path_; }

  /// Errors: kInvalidArgument for a start by time, which files do not have.
  Result<std::vector<PartitionBounds>> resolve_start(StartPoint start) final;

  Status assign(const std::vector<Position>& positions) final;

  Result<Polled> poll(std::chrono::milliseconds timeout) final;

  Result<Polled> poll_partition(
      std::int32_t partition,
      std::chrono::milliseconds timeout) final;

  void publish_progress(const std::vector<Position>& positions) final {
    (void)positions;
  }

  void close() final { closed_.store(true); }

 protected:
  explicit FiniteSource(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }

  /// `assign`, of the only partition and for the first time.
  [[nodiscard]] virtual Status begin_at(const Position& position) = 0;

  /// Goes on by one file: kRecord, kEnd, or kIdle for one that is left out.
  [[nodiscard]] virtual Result<Polled> read() = 0;

  /// A file as a record.
  [[nodiscard]] Polled as_record(std::int64_t offset, PathFile file) const;

 private:
  const std::string path_;
  bool assigned_ = false;
  std::atomic<bool> closed_ = false;
};

}  // namespace swavd::ingest
