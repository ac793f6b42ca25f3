#include "ops/service/config/shape_text.h"

#include <limits>

#include <fmt/format.h>

#include "ops/service/config/quantities.h"

namespace swavd::service {
namespace {

std::string bound(const Shape& shape, std::int64_t value) {
  const auto number = static_cast<std::uint64_t>(value);
  switch (shape.form) {
    case Form::kBytes:
      return format_bytes(number);
    case Form::kSeconds:
      return format_duration_ms(number * 1000);
    case Form::kMilliseconds:
      return format_duration_ms(number);
    default:
      return fmt::format("{}", value);
  }
}

std::string integer_range(const Shape& shape) {
  const std::string least = bound(shape, shape.least);
  if (shape.most == std::numeric_limits<std::int64_t>::max()) {
    return fmt::format("of at least {}", least);
  }
  std::string range =
      fmt::format("from {} to {}", least, bound(shape, shape.most));
  if (shape.multiple_of > 1) {
    range += fmt::format(", a multiple of {}", shape.multiple_of);
  }
  return range;
}

std::string real_range(const Shape& shape) {
  return shape.above_lowest
             ? fmt::format("above {} up to {}", shape.lowest, shape.highest)
             : fmt::format("from {} to {}", shape.lowest, shape.highest);
}

std::string list_of(const Shape& shape, std::string_view items) {
  if (shape.length > 0) {
    return fmt::format("a list of {} {}", shape.length, items);
  }
  return fmt::format(
      "a list of {}{}", items, shape.may_be_empty ? "" : ", at least one");
}

}  // namespace

std::string describe(const Shape& shape) {
  switch (shape.form) {
    case Form::kText:
      return shape.choices.empty()
                 ? "a text"
                 : fmt::format("one of {}", fmt::join(shape.choices, ", "));
    case Form::kInteger:
      return "an integer " + integer_range(shape);
    case Form::kReal:
      return "a number " + real_range(shape);
    case Form::kFlag:
      return "true or false";
    case Form::kBytes:
      return fmt::format(
          "a size {}, in bytes or such as \"16MiB\"", integer_range(shape));
    case Form::kSeconds:
    case Form::kMilliseconds:
      return fmt::format(
          "a duration {}, such as \"10m\" or \"2s\"", integer_range(shape));
    case Form::kIntegers:
      if (shape.may_be_single) {
        return fmt::format("an integer {}, or a list", integer_range(shape));
      }
      return list_of(shape, "integers " + integer_range(shape));
    case Form::kReals:
      return list_of(shape, "numbers " + real_range(shape));
    case Form::kTexts:
      return list_of(shape, "texts");
    case Form::kCrops:
      return "a list of {count = N, size = PIXELS, scale = [LEAST, MOST]}";
    case Form::kTextTable:
      return "a table of names and values";
  }
  return "";
}

}  // namespace swavd::service
