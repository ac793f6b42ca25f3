#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ingest/paths.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Steps through the files of a PATH, one at a time. Not thread-safe.
class FileWalk {
 public:
  FileWalk() = default;
  FileWalk(const FileWalk&) = delete;
  FileWalk& operator=(const FileWalk&) = delete;
  virtual ~FileWalk() = default;

  /// Goes to the next file and gives its name; nullopt after the last one.
  /// Errors: kCorruption (broken tar), kIo.
  [[nodiscard]] virtual Result<std::optional<std::string>> advance() = 0;

  /// The bytes of the file that `advance` gave last. At most once for each.
  /// Errors: as `advance`, kNotFound (removed meanwhile).
  [[nodiscard]] virtual Result<ByteVector> read() = 0;
};

/// Opens a folder or a tar file. Errors: those of `for_each_file`.
[[nodiscard]] Result<std::unique_ptr<FileWalk>> open_walk(
    const std::string& path);

/// `read`s the file `name` and labels it.
[[nodiscard]] Result<PathFile> read_named(FileWalk& walk, std::string name);

/// The first folder of a name; empty when it has none.
[[nodiscard]] std::string label_of(std::string_view name);

/// Whether a component of `name` begins with a dot.
[[nodiscard]] bool is_hidden(std::string_view name);

}  // namespace swavd::ingest
