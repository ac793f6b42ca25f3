#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>

#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::state {

/// A new file, written from front to back and synced at the end. It holds an
/// exclusive flock while it is open, so that others can tell a file being
/// written from one whose writer died.
class FileWriter {
 public:
  /// Errors: kNotFound (the folder), kExhausted, kIo.
  [[nodiscard]] static Result<FileWriter> create(
      const std::filesystem::path& path);

  FileWriter(FileWriter&& other) noexcept;
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  /// Errors: kExhausted, kIo.
  [[nodiscard]] Status write(Bytes bytes);

  /// Makes the content durable. Errors: kExhausted, kIo.
  [[nodiscard]] Status sync();

 private:
  FileWriter(std::filesystem::path path, int descriptor);

  std::filesystem::path path_;
  int descriptor_;
};

/// Which bytes of a file: all of it unless said otherwise.
struct FileRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = std::numeric_limits<std::uint64_t>::max();
};

/// Reads a file, as far as it goes, into `sink` piece by piece. Errors:
/// kNotFound, kIo; what `sink` returns.
[[nodiscard]] Status stream_file(
    const std::filesystem::path& path,
    const std::function<Status(Bytes)>& sink,
    FileRange range = {});

/// Creates `folder` with its parents; after an ok they survive a power cut.
/// Errors: kExhausted, kIo.
[[nodiscard]] Status make_folders_durably(const std::filesystem::path& folder);

/// Renames a file over `to` and syncs the folder it lies in. Errors: kIo.
[[nodiscard]] Status rename_durably(
    const std::filesystem::path& from,
    const std::filesystem::path& to);

}  // namespace swavd::state
