#include "ingest/log/folder_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "ops/base/files.h"

namespace swavd::ingest {

namespace {

constexpr std::uint32_t kWatchedEvents =
    IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO;

Error watch_error(int error_number, const std::filesystem::path& folder) {
  Error error = errno_error(error_number, "watch", folder);
  if (error_number == EMFILE || error_number == ENOSPC) {
    error.code = ErrorCode::kExhausted;
    error.message +=
        " (raise fs.inotify.max_user_instances or max_user_watches)";
  }
  return error;
}

int poll_milliseconds(std::chrono::milliseconds timeout) {
  return static_cast<int>(std::clamp<std::int64_t>(
      timeout.count(), 0, std::numeric_limits<int>::max()));
}

}  // namespace

Result<std::unique_ptr<FolderWatch>> FolderWatch::open(
    const std::filesystem::path& folder) {
  const int changes = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (changes < 0) {
    return watch_error(errno, folder);
  }
  const int woken = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (woken < 0) {
    const int error_number = errno;
    ::close(changes);
    return watch_error(error_number, folder);
  }
  // Not make_unique: the constructor is private.
  std::unique_ptr<FolderWatch> watch(new FolderWatch(folder, changes, woken));
  SWAVD_RETURN_IF_ERROR(watch->renew());
  return watch;
}

Status FolderWatch::renew() {
  if (::inotify_add_watch(changes_, folder_.c_str(), kWatchedEvents) < 0) {
    return watch_error(errno, folder_);
  }
  return ok_status();
}

FolderWatch::~FolderWatch() {
  ::close(changes_);
  ::close(woken_);
}

void FolderWatch::drain() {
  alignas(struct inotify_event) std::array<char, 4096> events;
  while (::read(changes_, events.data(), events.size()) > 0) {
  }
}

void FolderWatch::wait(std::chrono::milliseconds timeout) {
  std::array<struct pollfd, 2> files = {{
      {woken_, POLLIN, 0},
      {changes_, POLLIN, 0},
  }};
  (void)::poll(files.data(), files.size(), poll_milliseconds(timeout));
}

void FolderWatch::pause(std::chrono::milliseconds timeout) {
  struct pollfd file {
    woken_, POLLIN, 0
  };

  (void)::poll(&file, 1, poll_milliseconds(timeout));
}

void FolderWatch::wake() {
  const std::uint64_t one = 1;
  (void)!::write(woken_, &one, sizeof one);
}

}  // namespace swavd::ingest
