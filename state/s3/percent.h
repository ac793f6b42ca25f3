#pragma once

#include <string>
#include <string_view>

namespace swavd::state {

/// What becomes of '/' in a text that is encoded.
enum class Slash { kKept, kEncoded };

/// Everything but A-Z a-z 0-9 - . _ ~ as %XX with capital digits, as the
/// signature demands (RFC 3986).
[[nodiscard]] std::string percent_encode(std::string_view text, Slash slash);

/// The text behind the form encoding that S3 lists keys in: %XX, and '+' for a
/// space. A '%' without two digits stands for itself.
[[nodiscard]] std::string percent_decode(std::string_view text);

}  // namespace swavd::state
