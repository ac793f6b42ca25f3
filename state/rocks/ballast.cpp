#include "state/rocks/ballast.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "ops/base/files.h"

namespace swavd::state {

Ballast::Ballast(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)),
      bytes_(bytes) {}

Result<bool> Ballast::take(std::uint64_t spare) {
  std::error_code error;
  if (std::filesystem::file_size(path_, error) == bytes_ && !error) {
    return true;
  }
  const auto free = free_bytes(path_.parent_path());
  if (!free.ok()) {
    return free.error();
  }
  if (free.value() < bytes_ + spare) {
    return false;
  }
  const int file = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    return errno_error(errno, "create", path_);
  }
  // Not posix_fallocate, which writes where setting aside is unsupported.
  const int failed =
      ::fallocate(file, 0, 0, static_cast<off_t>(bytes_)) == 0 ? 0 : errno;
  ::close(file);
  if (failed == 0) {
    return true;
  }
  SWAVD_RETURN_IF_ERROR(give_up());
  if (failed == EOPNOTSUPP || failed == ENOSPC || failed == EDQUOT ||
      failed == ENOSYS) {
    return false;
  }
  return errno_error(failed, "set room aside in", path_);
}

Status Ballast::give_up() {
  std::error_code error;
  std::filesystem::remove(path_, error);
  if (error) {
    return errno_error(error.value(), "remove", path_);
  }
  return ok_status();
}

}  // namespace swavd::state
