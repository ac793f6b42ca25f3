#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/base/files.h"
#include "ops/service/net/listener.h"

namespace swavd::service {
namespace {

constexpr mode_t kMode = 0660;

Descriptor make_socket() {
  return Descriptor(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Makes room for a new socket: removes what a dead process left behind.
Status remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info {};

  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? ok_status()
                           : Status(errno_error(errno, "look at", path));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Error{
        ErrorCode::kIo,
        fmt::format(
            "{} is no socket: move it away, or set admin.socket to another "
            "path",
            path)};
  }
  const Descriptor probe = make_socket();
  const int connected = ::connect(
      probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  // EAGAIN: alive, with a full backlog.
  if (connected == 0 || errno == EAGAIN) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format("another daemon serves {}: stop it first", path)};
  }
  if (errno != ECONNREFUSED) {
    return errno_error(errno, "connect to", path);
  }
  return ::unlink(path.c_str()) == 0 ? ok_status()
                                     : errno_error(errno, "remove", path);
}

}  // namespace

Result<Listener> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{
        ErrorCode::kIo,
        fmt::format(
            "{} is too long for a socket: {} bytes at most",
            path,
            sizeof address.sun_path - 1)};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  SWAVD_RETURN_IF_ERROR(remove_stale(path, address));
  Descriptor socket = make_socket();
  // Nobody can connect between `bind` and `listen`, so the mode is right
  // before the first one does.
  if (socket.get() < 0 ||
      ::bind(
          socket.get(),
          reinterpret_cast<const sockaddr*>(&address),
          sizeof address) != 0 ||
      ::chmod(path.c_str(), kMode) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return errno_error(errno, "listen on", path);
  }
  return Listener{std::move(socket), 0};
}

}  // namespace swavd::service
