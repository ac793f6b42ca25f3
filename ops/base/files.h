#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd {

/// The whole file. Errors: kNotFound, kIo.
[[nodiscard]] Result<ByteVector> read_file(const std::filesystem::path& path);

/// Replaces `path` with `bytes` so that after a power cut either the old or
/// the new content is there: writes a temporary file beside it, syncs it,
/// renames it, syncs the folder. Errors: kExhausted (no space), kIo.
[[nodiscard]] Status write_file_durably(
    const std::filesystem::path& path,
    Bytes bytes);

/// Makes names created, renamed or removed in `folder` durable. Errors: kIo.
[[nodiscard]] Status sync_folder(const std::filesystem::path& folder);

/// Creates `folder` and its parents. Errors: kIo.
[[nodiscard]] Status make_folders(const std::filesystem::path& folder);

/// Bytes free to an unprivileged writer on the filesystem of `path`.
[[nodiscard]] Result<std::uint64_t> free_bytes(
    const std::filesystem::path& path);

/// The Error for a failed system call: code from `error_number` (ENOENT
/// kNotFound; ENOSPC, EDQUOT kExhausted; else kIo), text "what path: reason".
[[nodiscard]] Error errno_error(
    int error_number,
    std::string_view what,
    const std::filesystem::path& path);

/// A lock on `path` held until destruction or the death of the process
/// (flock). The file holds the holder's pid as text.
class FileLock {
 public:
  /// Errors: kUnavailable, naming the holder; kIo.
  [[nodiscard]] static Result<FileLock> acquire(
      const std::filesystem::path& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

}  // namespace swavd
