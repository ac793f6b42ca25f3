#include "ops/service/http/socket_stream.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

namespace swavd::service {

SocketStream::SocketStream(
    Connection connection,
    std::chrono::milliseconds patience)
    : connection_(std::move(connection)),
      patience_(patience),
      read_deadline_(std::chrono::steady_clock::now() + patience) {}

bool SocketStream::is_readable() const {
  return consumed_ < connection_.received.size() ||
         wait(POLLIN, read_deadline_);
}

bool SocketStream::is_writable() const {
  return wait(POLLOUT, std::chrono::steady_clock::now() + patience_);
}

ssize_t SocketStream::read(char* to, std::size_t size) {
  const std::string& received = connection_.received;
  if (consumed_ < received.size()) {
    const std::size_t length = std::min(size, received.size() - consumed_);
    std::copy_n(received.data() + consumed_, length, to);
    consumed_ += length;
    return static_cast<ssize_t>(length);
  }
  for (;;) {
    const auto length =
        ::recv(connection_.socket.get(), to, size, MSG_DONTWAIT);
    if (length >= 0 || (errno != EAGAIN && errno != EINTR)) {
      return length;
    }
    if (!wait(POLLIN, read_deadline_)) {
      return -1;
    }
  }
}

ssize_t SocketStream::write(const char* from, std::size_t size) {
  if (!write_deadline_) {
    write_deadline_ = std::chrono::steady_clock::now() + patience_;
  }
  for (;;) {
    const auto length = ::send(
        connection_.socket.get(), from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (length >= 0 || (errno != EAGAIN && errno != EINTR)) {
      return length;
    }
    if (!wait(POLLOUT, *write_deadline_)) {
      return -1;
    }
  }
}

// Nobody asks who it was: there is no log of requests.
void SocketStream::get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/)
    const {}

void SocketStream::get_local_ip_and_port(std::string& /*ip*/, int& /*port*/)
    const {}

socket_t SocketStream::socket() const {
  return connection_.socket.get();
}

void SocketStream::finish() {
  ::shutdown(connection_.socket.get(), SHUT_WR);
  // Closing with unread bytes inside would reset the connection and could
  // take the answer from the client.
  char discarded[4096];
  while (
      ::recv(
          connection_.socket.get(), discarded, sizeof discarded, MSG_DONTWAIT) >
      0) {
  }
}

bool SocketStream::wait(short events, Time deadline) const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) {
    return false;
  }
  pollfd polled{connection_.socket.get(), events, 0};
  return ::poll(&polled, 1, static_cast<int>(left.count())) > 0;
}

}  // namespace swavd::service
