#pragma once

#include <spawn.h>

namespace swavd {

/// How the programs start a child with `posix_spawn`: in a process group of
/// its own, so that it can be ended with all it starts; with no signal blocked
/// or ignored, where ours has blocked those it waits for; with nothing on its
/// standard input. What is special is added to `files`. Not thread-safe.
class SpawnSetup {
 public:
  SpawnSetup();
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup();

  [[nodiscard]] const posix_spawnattr_t* attributes() const {
    return &attributes_;
  }

  [[nodiscard]] posix_spawn_file_actions_t* files() { return &files_; }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t files_;
};

}  // namespace swavd
