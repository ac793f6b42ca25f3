#include "state/directory/waiting_lock.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "ops/base/files.h"

namespace swavd::state {

Result<WaitingLock> WaitingLock::acquire(const std::filesystem::path& path) {
  WaitingLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (lock.file_ < 0) {
    return errno_error(errno, "open lock", path);
  }
  while (::flock(lock.file_, LOCK_EX) != 0) {
    if (errno != EINTR) {
      return errno_error(errno, "lock", path);
    }
  }
  return lock;
}

WaitingLock::~WaitingLock() {
  if (file_ >= 0) {
    ::close(file_);
  }
}

}  // namespace swavd::state
