#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "ingest/files/finite_source.h"
#include "ingest/paths.h"

namespace swavd::ingest {

/// The file at the n-th place of an order; asked for n = 0, 1, … in turn.
using NextFile = std::function<Result<PathFile>(std::size_t n)>;

/// See `FileSet::source`.
class FileSetSource final : public FiniteSource {
 public:
  FileSetSource(std::string path, std::size_t count, NextFile next_file);

  Result<std::vector<PartitionBounds>> bounds() override;

 private:
  /// Errors: kInvalidArgument for anything but the beginning: a pass is not
  /// resumed.
  Status begin_at(const Position& position) override;

  Result<Polled> read() override;

  const std::size_t count_;
  const NextFile next_file_;
  std::size_t next_ = 0;
};

}  // namespace swavd::ingest
