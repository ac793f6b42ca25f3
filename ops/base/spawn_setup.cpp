#include "ops/base/spawn_setup.h"

#include <csignal>

#include <fcntl.h>
#include <unistd.h>

namespace swavd {

SpawnSetup::SpawnSetup() {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_init(&attributes_);
  posix_spawnattr_setflags(
      &attributes_,
      POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setpgroup(&attributes_, 0);
  posix_spawnattr_setsigmask(&attributes_, &none);
  posix_spawnattr_setsigdefault(&attributes_, &all);
  posix_spawn_file_actions_init(&files_);
  posix_spawn_file_actions_addopen(
      &files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
}

SpawnSetup::~SpawnSetup() {
  posix_spawn_file_actions_destroy(&files_);
  posix_spawnattr_destroy(&attributes_);
}

}  // namespace swavd
