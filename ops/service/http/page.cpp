#include "ops/service/http/page.h"

#include <fmt/format.h>

#include "ops/base/bytes.h"
#include "ops/base/sha256.h"

namespace swavd::service {
namespace {

std::string base64(Bytes bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t group =
        static_cast<std::uint32_t>(bytes[i]) << 16U |
        static_cast<std::uint32_t>(left > 1 ? bytes[i + 1] : 0) << 8U |
        static_cast<std::uint32_t>(left > 2 ? bytes[i + 2] : 0);
    text += kDigits[group >> 18U & 63U];
    text += kDigits[group >> 12U & 63U];
    text += left > 1 ? kDigits[group >> 6U & 63U] : '=';
    text += left > 2 ? kDigits[group & 63U] : '=';
  }
  return text;
}

// 'sha256-…' of what stands between <TAG> and </TAG>; 'none' without one.
std::string source_of(std::string_view html, std::string_view tag) {
  const std::string open = fmt::format("<{}>", tag);
  const std::string close = fmt::format("</{}>", tag);
  const auto from = html.find(open);
  const auto to = html.find(close);
  if (from == std::string_view::npos || to == std::string_view::npos) {
    return "'none'";
  }
  const std::string_view inside =
      html.substr(from + open.size(), to - from - open.size());
  return fmt::format("'sha256-{}'", base64(sha256(as_bytes(inside))));
}

}  // namespace

std::string content_security_policy(std::string_view html) {
  return fmt::format(
      "default-src 'none'; script-src {}; style-src {}; img-src 'self'; "
      "connect-src 'self'; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'",
      source_of(html, "script"),
      source_of(html, "style"));
}

}  // namespace swavd::service
