#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/base/log.h"
#include "ops/service/lifecycle.h"

namespace swavd::service {
namespace {

// The protocol has one assignment a line.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

// What systemd compares its own clock with: CLOCK_MONOTONIC.
std::uint64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

// Gives errno, 0 for success.
int send_datagram(const std::string& socket, const std::string& message) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) {
    return ENAMETOOLONG;
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const bool abstract = socket[0] == '@';
  if (abstract) {
    address.sun_path[0] = '\0';
  }
  // An abstract name has no terminator: its length ends it.
  const auto length = static_cast<socklen_t>(
      offsetof(sockaddr_un, sun_path) + socket.size() + (abstract ? 0 : 1));
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return errno;
  }
  constexpr timeval kPatience{1, 0};
  ::setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  const auto sent = ::sendto(
      descriptor,
      message.data(),
      message.size(),
      MSG_NOSIGNAL,
      reinterpret_cast<const sockaddr*>(&address),
      length);
  const int error = sent < 0 ? errno : 0;
  ::close(descriptor);
  return error;
}

}  // namespace

ServiceManager::ServiceManager() {
  if (const char* socket = std::getenv("NOTIFY_SOCKET")) {
    socket_ = socket;
  }
}

void ServiceManager::ready(std::string_view status) const {
  send("READY=1\nSTATUS=" + one_line(status));
}

void ServiceManager::status(std::string_view text) const {
  send("STATUS=" + one_line(text));
}

void ServiceManager::stopping(std::string_view status) const {
  send("STOPPING=1\nSTATUS=" + one_line(status));
}

void ServiceManager::reloading() const {
  // systemd 253 and later wait for ever without the time stamp.
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_us()));
}

void ServiceManager::watchdog_ping() const {
  send("WATCHDOG=1");
}

void ServiceManager::extend_timeout(std::chrono::microseconds more) const {
  send(fmt::format("EXTEND_TIMEOUT_USEC={}", more.count()));
}

void ServiceManager::send(const std::string& message) const {
  if (socket_.empty()) {
    return;
  }
  const int error = send_datagram(socket_, message);
  if (error != 0 && !failed_.test_and_set()) {
    log(LogLevel::kWarning,
        "notify_failed",
        "the service manager cannot be told; its time-outs may strike",
        {{"socket", socket_}, {"reason", std::strerror(error)}});
  }
}

}  // namespace swavd::service
