#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"

struct sockaddr;

namespace swavd::ingest {

/// An IPv4 or IPv6 address.
struct IpAddress {
  /// Network order; IPv4 takes the first four bytes, the rest is 0.
  std::array<std::uint8_t, 16> bytes{};
  bool v4 = false;
};

/// Parses "192.0.2.1" or "2001:db8::1", the canonical forms only. Empty when
/// `text` is neither.
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text);

/// The address in `address`; empty when it is neither AF_INET nor AF_INET6.
[[nodiscard]] std::optional<IpAddress> ip_of(const sockaddr& address);

/// The port in `address`, host order; 0 when it has none.
[[nodiscard]] std::uint16_t port_of(const sockaddr& address);

/// The addresses that share their first `bits` bits with `base`.
struct Network {
  IpAddress base;
  unsigned bits = 0;

  [[nodiscard]] bool contains(const IpAddress& address) const;
};

/// Parses "10.0.0.0/8", "fd00::/8", or an address without a length. Errors:
/// kInvalidArgument.
[[nodiscard]] Result<Network> parse_network(std::string_view text);

/// Which addresses a crawler may connect to: what is globally reachable, and
/// nothing that leads into the operator's own machine or network. Meant for
/// the address given to connect(), after name resolution, where no spelling
/// of a host and no answer of a name server can get around it.
///
/// Immutable, hence thread-safe.
class AddressPolicy {
 public:
  /// `allowed`: networks to admit although they are special. They match
  /// their own family only: 127.0.0.0/8 does not admit ::ffff:127.0.0.1.
  explicit AddressPolicy(std::vector<Network> allowed)
      : allowed_(std::move(allowed)) {}

  /// Parses each text as `parse_network` does.
  [[nodiscard]] static Result<AddressPolicy> parse(
      const std::vector<std::string>& allowed);

  /// What `address` is ("loopback", "private", …) when it must not be
  /// connected to, empty when it may be.
  [[nodiscard]] std::string_view refusal(const IpAddress& address) const;

 private:
  std::vector<Network> allowed_;
};

}  // namespace swavd::ingest
