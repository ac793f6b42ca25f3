#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ingest/source.h"
#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// One file found under a PATH argument.
struct PathFile {
  std::string name;   ///< path below the folder, or the member's name
  std::string label;  ///< first folder of `name`; empty when it has none
  ByteVector bytes;
};

/// Calls `visit` for every regular file of a folder (recursively) or of a tar
/// file, with its bytes: a folder in bytewise order of the names, a tar in its
/// own order. Hidden files are left out. Stops early, without an error, when
/// `visit` gives false. Errors: kNotFound, kIo, kCorruption (broken tar),
/// kInvalidArgument (neither a folder nor a tar).
[[nodiscard]] Status for_each_file(
    const std::string& path,
    const std::function<bool(PathFile&&)>& visit);

/// The names `for_each_file` gives, in its order, without reading the files
/// of a folder. Errors: those of `for_each_file`.
[[nodiscard]] Result<std::vector<std::string>> list_files(
    const std::string& path);

struct PathSourceOptions {
  bool sorted = false;      ///< bytewise order of names for a tar as well
  std::uint64_t limit = 0;  ///< at most so many files; 0: all
  /// Leaves out the last / takes only the last N files; 0: off.
  std::uint64_t drop_last = 0;
  std::uint64_t take_last = 0;
};

/// A finite Source over a PATH: one partition, offsets 0…, topic = `path`,
/// the file's name in header "name", the label set. For evaluation.
[[nodiscard]] Result<std::unique_ptr<Source>> open_path_source(
    const std::string& path,
    const PathSourceOptions& options);

}  // namespace swavd::ingest
