#include "ops/service/config/quantities.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "ops/service/config.h"

namespace swavd::service {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t scale = 1;
};

constexpr std::array kSizes = {
    Unit{"TiB", 1ULL << 40U},
    Unit{"GiB", 1ULL << 30U},
    Unit{"MiB", 1ULL << 20U},
    Unit{"KiB", 1ULL << 10U},
    Unit{"", 1}};

constexpr std::array kDurations = {
    Unit{"d", 86'400'000},
    Unit{"h", 3'600'000},
    Unit{"m", 60'000},
    Unit{"s", 1'000},
    Unit{"ms", 1}};

// A whole number directly followed by a unit's name.
std::optional<std::uint64_t> parse(
    std::string_view text,
    std::span<const Unit> units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{}) {
    return std::nullopt;
  }
  const std::string_view name(
      read.ptr, static_cast<std::size_t>(end - read.ptr));
  for (const Unit& unit : units) {
    if (unit.name == name &&
        number <= std::numeric_limits<std::int64_t>::max() / unit.scale) {
      return number * unit.scale;
    }
  }
  return std::nullopt;
}

std::string format(std::uint64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number != 0 && number % unit.scale == 0) {
      return fmt::format("{}{}", number / unit.scale, unit.name);
    }
  }
  return {};
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  if (const auto bytes = parse(text, kSizes)) {
    return *bytes;
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "\"{}\" is no size: write bytes, or a whole number with KiB, MiB, "
          "GiB or TiB, such as \"16MiB\"",
          text)};
}

Result<std::uint64_t> parse_duration_ms(std::string_view text) {
  if (const auto milliseconds = parse(text, kDurations)) {
    return *milliseconds;
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "\"{}\" is no duration: write a whole number with ms, s, m, h or d, "
          "such as \"10m\"",
          text)};
}

std::string format_bytes(std::uint64_t bytes) {
  return bytes == 0 ? "0" : format(bytes, kSizes);
}

std::string format_duration_ms(std::uint64_t milliseconds) {
  return milliseconds == 0 ? "0s" : format(milliseconds, kDurations);
}

}  // namespace swavd::service
