#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "ops/service/config.h"

namespace swavd::service {
namespace {

// Days from 1970-01-01 to a date of the proleptic Gregorian calendar
// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
// days_from_civil). `year` is from 1970 on.
std::int64_t days_from_civil(int year, int month, int day) {
  const int y = month <= 2 ? year - 1 : year;
  const int era = y / 400;
  const int year_of_era = y - era * 400;
  const int day_of_year =
      (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return std::int64_t{era} * 146'097 + day_of_era - 719'468;
}

int days_in_month(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

// Takes the pieces of a time stamp off the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  // Exactly `digits` digits that give a number in [least, most].
  std::optional<int> number(std::size_t digits, int least, int most) {
    int value = 0;
    const auto field = rest_.substr(0, digits);
    if (field.size() != digits ||
        field.find_first_not_of("0123456789") != std::string_view::npos) {
      return std::nullopt;
    }
    std::from_chars(field.data(), field.data() + field.size(), value);
    rest_.remove_prefix(digits);
    if (value < least || value > most) {
      return std::nullopt;
    }
    return value;
  }

  bool any_of(std::string_view characters) {
    if (rest_.empty() || characters.find(rest_[0]) == std::string_view::npos) {
      return false;
    }
    taken_ = rest_[0];
    rest_.remove_prefix(1);
    return true;
  }

  // What `any_of` took last.
  [[nodiscard]] char taken() const { return taken_; }

  // The digits behind a decimal point as milliseconds; finer ones are cut.
  std::optional<int> fraction_ms() {
    const auto digits =
        std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (digits == 0) {
      return std::nullopt;
    }
    int milliseconds = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      milliseconds = milliseconds * 10 + (i < digits ? rest_[i] - '0' : 0);
    }
    rest_.remove_prefix(digits);
    return milliseconds;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  char taken_ = '\0';
};

std::optional<std::int64_t> parse_date_ms(Cursor& at) {
  const auto year = at.number(4, 1970, 9999);
  if (!year || !at.any_of("-")) {
    return std::nullopt;
  }
  const auto month = at.number(2, 1, 12);
  if (!month || !at.any_of("-")) {
    return std::nullopt;
  }
  const auto day = at.number(2, 1, days_in_month(*year, *month));
  if (!day) {
    return std::nullopt;
  }
  return days_from_civil(*year, *month, *day) * 86'400'000;
}

std::optional<std::int64_t> parse_clock_ms(Cursor& at) {
  const auto hour = at.number(2, 0, 23);
  if (!hour || !at.any_of(":")) {
    return std::nullopt;
  }
  const auto minute = at.number(2, 0, 59);
  if (!minute || !at.any_of(":")) {
    return std::nullopt;
  }
  const auto second = at.number(2, 0, 59);
  if (!second) {
    return std::nullopt;
  }
  const auto fraction = at.any_of(".") ? at.fraction_ms() : 0;
  if (!fraction) {
    return std::nullopt;
  }
  return (*hour * 3600 + *minute * 60 + *second) * 1000LL + *fraction;
}

// "Z" or "+HH:MM": how far the clock is ahead of UTC.
std::optional<std::int64_t> parse_zone_ms(Cursor& at) {
  if (at.any_of("Zz")) {
    return 0;
  }
  if (!at.any_of("+-")) {
    return std::nullopt;
  }
  const int sign = at.taken() == '-' ? -1 : 1;
  const auto hour = at.number(2, 0, 23);
  if (!hour || !at.any_of(":")) {
    return std::nullopt;
  }
  const auto minute = at.number(2, 0, 59);
  if (!minute) {
    return std::nullopt;
  }
  return sign * (*hour * 3600 + *minute * 60) * 1000LL;
}

std::optional<std::int64_t> parse(std::string_view text) {
  Cursor at(text);
  const auto date = parse_date_ms(at);
  if (!date || !at.any_of("Tt ")) {
    return std::nullopt;
  }
  const auto clock = parse_clock_ms(at);
  if (!clock) {
    return std::nullopt;
  }
  const auto zone = parse_zone_ms(at);
  if (!zone || !at.at_end()) {
    return std::nullopt;
  }
  return *date + *clock - *zone;
}

}  // namespace

Result<std::int64_t> parse_time_ms(std::string_view text) {
  if (const auto milliseconds = parse(text)) {
    return *milliseconds;
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "\"{}\" is no time: write RFC 3339 with a zone, such as "
          "\"2026-01-31T12:00:00Z\"",
          text)};
}

}  // namespace swavd::service
