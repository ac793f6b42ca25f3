#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "ops/base/files.h"
#include "ops/base/result.h"
#include "state/content/snapshot_content.h"

namespace swavd::state {

/// Writes a snapshot into a folder. Files gather, synced, in "<folder>.partial"
/// beside it; a new folder appears with one rename. In a folder that holds an
/// older snapshot they are renamed into place one by one, manifest.json last:
/// whoever looks meanwhile finds digests that do not fit the old manifest.
class FolderWriter {
 public:
  /// Errors: kInvalidArgument (`folder` holds something else than a
  /// snapshot), kUnavailable (another process is writing it), kIo.
  [[nodiscard]] static Result<FolderWriter> begin(
      const std::filesystem::path& folder);

  FolderWriter(FolderWriter&& other) noexcept;
  FolderWriter(const FolderWriter&) = delete;
  FolderWriter& operator=(const FolderWriter&) = delete;
  FolderWriter& operator=(FolderWriter&&) = delete;
  /// Takes away what was gathered and not finished.
  ~FolderWriter();

  /// Adds a file with the bytes that `write` gives to its sink. Errors: those
  /// of `write`, kExhausted, kIo.
  [[nodiscard]] Status add(
      const std::string& name,
      const std::function<Status(const ByteSink&)>& write);

  /// kExhausted unless `bytes` fit on the filesystem.
  [[nodiscard]] Status need_room(std::uint64_t bytes) const;

  /// Adds the manifest and publishes the folder, durably.
  [[nodiscard]] Status finish(std::string_view manifest_text);

  /// Publishes a folder that is no snapshot and has no manifest, durably.
  /// Errors: kInvalidArgument, there is something in the folder.
  [[nodiscard]] Status finish_new();

 private:
  FolderWriter(
      std::filesystem::path folder,
      std::filesystem::path partial,
      FileLock lock);

  /// False when the folder holds something.
  [[nodiscard]] Result<bool> rename_into_place();
  [[nodiscard]] Status replace_files() const;

  std::filesystem::path folder_;
  std::filesystem::path partial_;
  std::optional<FileLock> lock_;
  std::set<std::string> names_;
};

}  // namespace swavd::state
