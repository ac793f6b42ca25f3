#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ops/base/result.h"

namespace swavd::service {

/// "16MiB", "512KiB", "2GiB", "1TiB" or "4096" in bytes. Errors:
/// kInvalidArgument.
[[nodiscard]] Result<std::uint64_t> parse_bytes(std::string_view text);

/// The text `parse_bytes` reads, in the largest unit that divides it.
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

/// The text `parse_duration_ms` reads, in the largest unit that divides it.
[[nodiscard]] std::string format_duration_ms(std::uint64_t milliseconds);

}  // namespace swavd::service
