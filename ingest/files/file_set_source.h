#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "ingest/paths.h"
#include "ingest/source.h"

namespace swavd::ingest {

/// The file at the n-th place of an order; asked for n = 0, 1, … in turn.
using NextFile = std::function<Result<PathFile>(std::size_t n)>;

/// See `FileSet::source`.
class FileSetSource final : public Source {
 public:
  FileSetSource(std::string path, std::size_t count, NextFile next_file);

  Result<std::string> stream_id() override { return "path/" + path_; }

  const std::string& topic() const override { return path_; }

  Result<std::vector<PartitionBounds>> bounds() override;

  /// Errors: kInvalidArgument for a start by time, which files do not have.
  Result<std::vector<PartitionBounds>> resolve_start(StartPoint start) override;

  /// Errors: kInvalidArgument for anything but the beginning: a pass is not
  /// resumed.
  Status assign(const std::vector<Position>& positions) override;

  Result<Polled> poll(std::chrono::milliseconds timeout) override;

  Result<Polled> poll_partition(
      std::int32_t partition,
      std::chrono::milliseconds timeout) override;

  void publish_progress(const std::vector<Position>& positions) override {
    (void)positions;
  }

  void close() override { closed_.store(true); }

 private:
  const std::string path_;
  const std::size_t count_;
  const NextFile next_file_;
  std::size_t next_ = 0;
  bool assigned_ = false;
  std::atomic<bool> closed_ = false;
};

/// Where a finite source of `path` with these bounds starts. Errors: those of
/// `all`; kInvalidArgument for a start by time, which files do not have.
[[nodiscard]] Result<std::vector<PartitionBounds>> start_in_files(
    const std::string& path,
    Result<std::vector<PartitionBounds>> all,
    StartPoint start);

/// A file of a finite source as a record.
[[nodiscard]] Polled
as_record(const std::string& path, std::int64_t offset, PathFile file);

}  // namespace swavd::ingest
