#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ingest/crawler.h"

namespace swavd::ingest {

/// The longest URL that is taken, in bytes. Servers give up near 8 KiB.
inline constexpr std::size_t kMaxUrlBytes = 4096;

/// A URL that may be requested, as far as its text tells.
struct Url {
  std::string text;  ///< normalised by curl, without fragment
  std::string host;  ///< lower-case, no dot at the end; IPv6 in brackets
  std::uint16_t port = 0;
};

/// Checks the text of `url`: http or https, a port of `allowed_ports`, no
/// user name, no control characters. Its host's addresses are checked later,
/// by AddressPolicy.
[[nodiscard]] std::variant<Url, CrawlBlock> parse_url(
    std::string_view url,
    const std::vector<std::uint16_t>& allowed_ports);

}  // namespace swavd::ingest
