#include "ingest/crawl/address_policy.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

namespace swavd::ingest {

namespace {

struct SpecialNetwork {
  Network network;
  std::string_view name;
};

constexpr Network v4(
    std::uint8_t a,
    std::uint8_t b,
    std::uint8_t c,
    std::uint8_t d,
    unsigned bits) {
  return {{{a, b, c, d}, true}, bits};
}

constexpr Network v6(std::uint16_t first, std::uint16_t second, unsigned bits) {
  Network network;
  network.base.bytes[0] = static_cast<std::uint8_t>(first >> 8U);
  network.base.bytes[1] = static_cast<std::uint8_t>(first & 0xffU);
  network.base.bytes[2] = static_cast<std::uint8_t>(second >> 8U);
  network.base.bytes[3] = static_cast<std::uint8_t>(second & 0xffU);
  network.bits = bits;
  return network;
}

// IANA's special-purpose registry for IPv4 (RFC 6890 and its updates), the
// multicast and reserved ranges, and one public address that a cloud answers
// on inside its machines.
constexpr SpecialNetwork kSpecialV4[] = {
    {v4(0, 0, 0, 0, 8), "this_network"},
    {v4(10, 0, 0, 0, 8), "private"},
    {v4(100, 64, 0, 0, 10), "carrier_nat"},
    {v4(127, 0, 0, 0, 8), "loopback"},
    {v4(168, 63, 129, 16, 32), "cloud_metadata"},  // Azure's wire server
    {v4(169, 254, 0, 0, 16), "link_local"},        // with 169.254.169.254
    {v4(172, 16, 0, 0, 12), "private"},
    {v4(192, 0, 0, 0, 24), "protocol_assignments"},
    {v4(192, 0, 2, 0, 24), "documentation"},
    {v4(192, 31, 196, 0, 24), "as112"},
    {v4(192, 52, 193, 0, 24), "amt"},
    {v4(192, 88, 99, 0, 24), "6to4_relay"},
    {v4(192, 168, 0, 0, 16), "private"},
    {v4(192, 175, 48, 0, 24), "as112"},
    {v4(198, 18, 0, 0, 15), "benchmarking"},
    {v4(198, 51, 100, 0, 24), "documentation"},
    {v4(203, 0, 113, 0, 24), "documentation"},
    {v4(224, 0, 0, 0, 4), "multicast"},
    {v4(240, 0, 0, 0, 4), "reserved"},
};

// Of IPv6 only 2000::/3 is handed out for global use, so everything else is
// refused at once: ::, ::1, IPv4-mapped, NAT64, fc00::/7, fe80::/10, ff00::/8
// and whatever is defined later. These are the exceptions inside it.
constexpr Network kGlobalV6 = v6(0x2000, 0, 3);
constexpr SpecialNetwork kSpecialV6[] = {
    {v6(0x2001, 0, 23), "protocol_assignments"},  // Teredo, ORCHID, …
    {v6(0x2001, 0x0db8, 32), "documentation"},
    {v6(0x2002, 0, 16), "6to4"},  // carries an IPv4 address
    {v6(0x3fff, 0, 20), "documentation"},
};

std::string_view name_outside_global_v6(const IpAddress& address) {
  const auto& b = address.bytes;
  const bool ten_zeros =
      std::all_of(b.begin(), b.begin() + 10, [](auto x) { return x == 0; });
  if (ten_zeros && b[10] == 0xff && b[11] == 0xff) {
    return "ipv4_mapped";
  }
  if (b[0] == 0xff) {
    return "multicast";
  }
  if (b[0] == 0xfe && (b[1] & 0xc0U) == 0x80) {
    return "link_local";
  }
  if ((b[0] & 0xfeU) == 0xfc) {
    return "private";
  }
  if (b[0] == 0x00 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b) {
    return "nat64";
  }
  const bool loopback =
      b[15] == 1 &&
      std::all_of(b.begin(), b.begin() + 15, [](auto x) { return x == 0; });
  return loopback ? "loopback" : "not_global";
}

template <std::size_t kCount>
std::string_view name_among(
    const SpecialNetwork (&table)[kCount],
    const IpAddress& address) {
  for (const SpecialNetwork& special : table) {
    if (special.network.contains(address)) {
      return special.name;
    }
  }
  return {};
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) {
    address.v4 = true;
    return address;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) {
    return address;
  }
  return std::nullopt;
}

std::optional<IpAddress> ip_of(const sockaddr& address) {
  IpAddress ip;
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(ip.bytes.data(), &in.sin_addr, sizeof in.sin_addr);
    ip.v4 = true;
    return ip;
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(ip.bytes.data(), &in.sin6_addr, sizeof in.sin6_addr);
    return ip;
  }
  return std::nullopt;
}

std::uint16_t port_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    return ntohs(in.sin_port);
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    return ntohs(in.sin6_port);
  }
  return 0;
}

bool Network::contains(const IpAddress& address) const {
  if (address.v4 != base.v4) {
    return false;
  }
  const std::size_t whole = bits / 8U;
  if (!std::equal(
          base.bytes.begin(),
          base.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
          address.bytes.begin())) {
    return false;
  }
  const unsigned rest = bits % 8U;
  if (rest == 0) {
    return true;
  }
  const unsigned mask = 0xffU << (8U - rest) & 0xffU;
  return (base.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

Result<Network> parse_network(std::string_view text) {
  const auto wrong = [&] {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "'{}' is not a network; write it like 127.0.0.0/8 or fd00::/8",
            text)};
  };
  const std::size_t slash = text.find('/');
  const auto ip = parse_ip(text.substr(0, slash));
  if (!ip) {
    return wrong();
  }
  Network network{*ip, ip->v4 ? 32U : 128U};
  if (slash != std::string_view::npos) {
    const std::string_view length = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, error] =
        std::from_chars(length.data(), length.data() + length.size(), bits);
    if (error != std::errc() || end != length.data() + length.size() ||
        bits > network.bits) {
      return wrong();
    }
    network.bits = bits;
  }
  return network;
}

Result<AddressPolicy> AddressPolicy::parse(
    const std::vector<std::string>& allowed) {
  std::vector<Network> networks;
  for (const std::string& text : allowed) {
    auto network = parse_network(text);
    if (!network.ok()) {
      return network.error();
    }
    networks.push_back(network.value());
  }
  return AddressPolicy(std::move(networks));
}

std::string_view AddressPolicy::refusal(const IpAddress& address) const {
  for (const Network& network : allowed_) {
    if (network.contains(address)) {
      return {};
    }
  }
  if (address.v4) {
    return name_among(kSpecialV4, address);
  }
  if (!kGlobalV6.contains(address)) {
    return name_outside_global_v6(address);
  }
  return name_among(kSpecialV6, address);
}

}  // namespace swavd::ingest
