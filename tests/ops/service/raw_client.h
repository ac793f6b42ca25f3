#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "ops/base/descriptor.h"

namespace swavd::service {

/// A client that sends exactly what it is told to, and no more.
class RawClient {
 public:
  explicit RawClient(int port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(&address, sizeof address);
  }

  explicit RawClient(const std::string& path)
      : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    connect(&address, sizeof address);
  }

  [[nodiscard]] bool connected() const { return connected_; }

  void send(std::string_view text) const {
    ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  /// Everything up to the end of the connection.
  [[nodiscard]] std::string receive_all() const {
    std::string text;
    char buffer[4096];
    for (ssize_t length = 0;
         (length = ::recv(socket_.get(), buffer, sizeof buffer, 0)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(length));
    }
    return text;
  }

  [[nodiscard]] std::string exchange(std::string_view text) const {
    send(text);
    return receive_all();
  }

 private:
  void connect(const void* address, socklen_t length) {
    const timeval patience{20, 0};
    ::setsockopt(
        socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ =
        ::connect(
            socket_.get(), static_cast<const sockaddr*>(address), length) == 0;
  }

  Descriptor socket_;
  bool connected_ = false;
};

}  // namespace swavd::service
