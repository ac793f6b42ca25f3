#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace swavd::state {

/// Unix ms of a time as `format_utc` writes it, "2026-11-24T08:00:00.123Z";
/// nullopt for any other text.
[[nodiscard]] std::optional<std::int64_t> parse_utc(std::string_view text);

}  // namespace swavd::state
