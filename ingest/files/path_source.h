#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/files/file_walk.h"
#include "ingest/files/finite_source.h"
#include "ingest/paths.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Which files of a PATH a source gives, and in which order.
struct FileSelection {
  /// A tar in the order of its names: read into memory, in that order.
  std::optional<std::vector<PathFile>> loaded;
  /// Otherwise: in the order of the walk, leaving out the first `skip` and
  /// giving at most `limit`.
  std::uint64_t skip = 0;
  std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
};

/// Settles `options`: lists the PATH once where the answer needs the number
/// of files or their order. Applied in the order drop_last, take_last, limit.
/// Errors: those of `for_each_file`.
[[nodiscard]] Result<FileSelection> select_files(
    const std::string& path,
    const PathSourceOptions& options);

/// See `open_path_source`.
class PathSource final : public FiniteSource {
 public:
  PathSource(std::string path, FileSelection selection);

  Result<std::vector<PartitionBounds>> bounds() override;

 private:
  Status begin_at(const Position& position) override;

  Result<Polled> read() override;

  Result<std::int64_t> count();
  Result<std::optional<PathFile>> next_file();
  Status verify(const Position& position);
  Result<PathFile> file_at(std::int64_t offset);

  FileSelection selection_;
  std::optional<std::int64_t> count_;
  std::unique_ptr<FileWalk> walk_;
  std::int64_t next_ = 0;  // offset of the file that comes next
  std::int64_t from_ = 0;  // first offset to give
  std::vector<OffsetRange> done_;
};

}  // namespace swavd::ingest
