#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

#include "ops/base/result.h"

namespace swavd::ingest {

/// Waits for files in a folder to be written, made or removed (inotify).
///
/// One thread waits; `wake` may be called from any other.
class FolderWatch {
 public:
  /// Errors: kNotFound (no such folder), kExhausted (no watch to be had:
  /// fs.inotify.max_user_instances, max_user_watches), kIo.
  [[nodiscard]] static Result<std::unique_ptr<FolderWatch>> open(
      const std::filesystem::path& folder);

  /// Watches what lies at the folder's path now, should it have been replaced.
  /// Errors: as `open`.
  [[nodiscard]] Status renew();

  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;
  ~FolderWatch();

  /// Forgets the changes so far. Look at the folder after this and `wait`
  /// when nothing was found: a change in between ends the wait at once.
  void drain();

  /// Blocks until the folder has changed since `drain`, `wake` was called or
  /// `timeout` has passed.
  void wait(std::chrono::milliseconds timeout);

  /// Blocks until `wake` was called or `timeout` has passed.
  void pause(std::chrono::milliseconds timeout);

  /// Ends every wait, now and from now on.
  void wake();

 private:
  FolderWatch(std::filesystem::path folder, int changes, int woken)
      : folder_(std::move(folder)),
        changes_(changes),
        woken_(woken) {}

  const std::filesystem::path folder_;
  int changes_;  // inotify
  int woken_;    // eventfd, never read: readable for ever once written
};

}  // namespace swavd::ingest
