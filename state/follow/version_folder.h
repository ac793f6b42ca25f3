#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "ops/base/files.h"
#include "ops/base/result.h"
#include "state/snapshot_ref.h"

namespace swavd::state {

/// The folder a follower keeps:
///
///   current             -> versions/<id>
///   versions/<id>/      whole snapshots, verified before they got there
///   .incoming/<id>/     the one being fetched; survives an interruption
///   .lock               held by the one process that keeps the folder
class VersionFolder {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Errors: kInvalidArgument (holds something else), kUnavailable (another
  /// process keeps it), kExhausted, kIo.
  [[nodiscard]] static Result<VersionFolder> open(
      const std::filesystem::path& folder,
      Time now);

  /// Where `current` points to, absolute; nullopt when it points nowhere.
  [[nodiscard]] std::optional<std::filesystem::path> current() const;

  /// The folder to gather snapshot `id` in, made when absent. What was
  /// gathered of others is removed. Errors: kExhausted, kIo.
  [[nodiscard]] Result<std::filesystem::path> incoming(
      const std::string& id) const;

  /// A version of `id` that holds all of `files` unharmed (they are read), if
  /// there is one.
  [[nodiscard]] std::optional<std::filesystem::path> whole_version(
      const std::string& id,
      PullFiles files) const;

  /// Takes what was gathered of `id`, the manifest included and all of it
  /// synced, among the versions. Gives its new place. Errors: kIo.
  [[nodiscard]] Result<std::filesystem::path> publish(const std::string& id);

  /// Points `current` to `version`, in one durable step. Errors: kIo.
  [[nodiscard]] Status switch_to(
      const std::filesystem::path& version,
      Time now);

  /// Removes all versions but the newest `keep` and those switched away from
  /// less than `grace` ago; never the current one. Errors: kIo.
  [[nodiscard]] Status
  prune(std::size_t keep, std::chrono::milliseconds grace, Time now);

 private:
  struct Version {
    std::filesystem::path path;
    Time left;  ///< when `current` pointed to it last
  };

  VersionFolder(std::filesystem::path folder, FileLock lock);

  /// Versions that are there already, the longest unused first.
  [[nodiscard]] Status load_versions(Time now);

  std::filesystem::path folder_;
  FileLock lock_;
  std::deque<Version> versions_;  ///< in the order of their last use
};

}  // namespace swavd::state
