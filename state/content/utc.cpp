#include "state/content/utc.h"

#include <charconv>
#include <chrono>
#include <string>

#include "ops/base/clock.h"

namespace swavd::state {

std::optional<std::int64_t> parse_utc(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000Z";
  if (text.size() != kShape.size()) {
    return std::nullopt;
  }
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = -1;
    const char* end = text.data() + at + digits;
    const auto parsed = std::from_chars(text.data() + at, end, value);
    return parsed.ptr == end ? value : -1;
  };
  const std::chrono::year_month_day day{
      std::chrono::year(number(0, 4)),
      std::chrono::month(static_cast<unsigned>(number(5, 2))),
      std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  if (!day.ok()) {
    return std::nullopt;
  }
  const std::chrono::milliseconds time =
      std::chrono::sys_days(day).time_since_epoch() +
      std::chrono::hours(number(11, 2)) + std::chrono::minutes(number(14, 2)) +
      std::chrono::seconds(number(17, 2)) +
      std::chrono::milliseconds(number(20, 3));
  // Whatever was out of range or out of shape does not come back the same.
  if (format_utc(time.count()) != text) {
    return std::nullopt;
  }
  return time.count();
}

}  // namespace swavd::state
