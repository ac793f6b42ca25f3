#include "ops/service/net/endpoint.h"

#include <charconv>

#include <fmt/format.h>

namespace swavd::service {
namespace {

Error bad_endpoint(std::string_view text) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format(
          "\"{}\" is no address: write HOST:PORT, such as 127.0.0.1:9464",
          text)};
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return bad_endpoint(text);
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  const std::string_view port = text.substr(colon + 1);
  Endpoint endpoint{std::string(host), 0};
  const auto read =
      std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
  const bool whole =
      read.ec == std::errc{} && read.ptr == port.data() + port.size();
  const bool ambiguous = !bracketed && host.find(':') != std::string_view::npos;
  if (!whole || host.empty() || ambiguous) {
    return bad_endpoint(text);
  }
  return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
  const bool brackets = endpoint.host.find(':') != std::string::npos;
  return fmt::format(
      "{}{}{}:{}",
      brackets ? "[" : "",
      endpoint.host,
      brackets ? "]" : "",
      endpoint.port);
}

}  // namespace swavd::service
