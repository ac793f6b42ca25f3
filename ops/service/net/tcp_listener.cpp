#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "ops/service/net/listener.h"

namespace swavd::service {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Addresses> resolve_host(const Endpoint& endpoint) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(
      endpoint.host.c_str(),
      std::to_string(endpoint.port).c_str(),
      &hints,
      &found);
  if (error != 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "cannot listen on {}: {}",
            to_string(endpoint),
            ::gai_strerror(error))};
  }
  return Addresses(found, &::freeaddrinfo);
}

int bound_port(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace

Result<Listener> listen_tcp(const Endpoint& endpoint) {
  auto addresses = resolve_host(endpoint);
  if (!addresses.ok()) {
    return addresses.error();
  }
  const addrinfo& address = *addresses.value();
  Descriptor socket(::socket(
      address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // Without it a restart would have to wait for old connections to expire.
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (socket.get() < 0 ||
      ::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "cannot listen on {}: {}",
            to_string(endpoint),
            std::strerror(errno))};
  }
  const int port = bound_port(socket.get());
  return Listener{std::move(socket), port};
}

}  // namespace swavd::service
