#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ops/base/result.h"

namespace swavd::service {

/// Where a server listens.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
};

/// Parses "HOST:PORT" or "[IPV6]:PORT"; port 0 takes any free one. Errors:
/// kInvalidArgument.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);

/// The text `parse_endpoint` reads.
[[nodiscard]] std::string to_string(const Endpoint& endpoint);

}  // namespace swavd::service
