#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "ops/base/mutex.h"
#include "ops/base/result.h"
#include "state/content/snapshot_content.h"
#include "state/manifest.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// A file that is gathered in parts, in any order and from several threads.
class PartFile {
 public:
  /// Opens or makes `folder`/`file.name` with its list of parts. Parts of
  /// before that are listed and whose bytes still fit count as there.
  /// Errors: kExhausted, kIo.
  [[nodiscard]] static Result<std::unique_ptr<PartFile>> open(
      const std::filesystem::path& folder,
      const FileEntry& file,
      std::uint64_t part_bytes);

  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  [[nodiscard]] const FileEntry& file() const { return file_; }

  /// What is not there yet, ascending.
  [[nodiscard]] std::vector<ByteRange> missing() const;

  /// Writes one part with the bytes that `write` gives to its sink, and then
  /// into the list. Thread-safe for different parts. Errors: kCorruption, more
  /// or fewer bytes than the part has; those of `write`; kExhausted, kIo.
  [[nodiscard]] Status put(
      const ByteRange& part,
      const std::function<Status(const ByteSink&)>& write);

  /// Checks the whole file against its digest and syncs it. Errors:
  /// kCorruption, kIo.
  [[nodiscard]] Status finish();

  /// Removes the list of parts, when none will be put any more. Errors: kIo.
  [[nodiscard]] Status remove_list();

  /// Forgets all parts: the next `missing` is the whole file. Errors: kIo.
  [[nodiscard]] Status restart();

 private:
  PartFile(std::filesystem::path path, FileEntry file, std::uint64_t part);

  [[nodiscard]] Status open_files();
  [[nodiscard]] Status load_list();
  [[nodiscard]] std::vector<ByteRange> all_parts() const;

  std::filesystem::path path_;
  std::filesystem::path list_path_;
  FileEntry file_;
  std::uint64_t part_bytes_;
  int data_ = -1;
  int list_ = -1;
  mutable Mutex mutex_;
  std::set<std::uint64_t> done_ SWAVD_GUARDED_BY(mutex_);  ///< offsets
};

}  // namespace swavd::state
