#pragma once

#include <string>

#include "ops/base/descriptor.h"
#include "ops/base/result.h"
#include "ops/service/net/endpoint.h"

namespace swavd::service {

/// A socket that accepts connections, not blocking.
struct Listener {
  Descriptor socket;
  int port = 0;  ///< 0 for a Unix socket
};

/// Errors: kInvalidArgument (the host is none), kUnavailable (in use, not
/// permitted), both naming the address.
[[nodiscard]] Result<Listener> listen_tcp(const Endpoint& endpoint);

/// A Unix socket of mode 0660. The socket file of a dead process is replaced.
/// Errors: kUnavailable (a live one answers there), kIo (no socket lies
/// there, the folder cannot be written), both naming the path.
[[nodiscard]] Result<Listener> listen_unix(const std::string& path);

}  // namespace swavd::service
