#include "ops/service/config/binding.h"

#include <utility>

#include <fmt/format.h>

#include "ops/base/check.h"
#include "ops/service/config/crops.h"
#include "ops/service/config/nearest.h"
#include "ops/service/config/quantities.h"
#include "ops/service/config/shape_text.h"

namespace swavd::service {
namespace {

constexpr std::uint64_t kMsPerSecond = 1000;

// Picks an overload of `convert` by the type of the field.
template <typename T>
struct As {};

Error wrong(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

Error does_not_fit(const Shape& shape, const Value& value) {
  constexpr std::size_t kShown = 80;
  std::string shown = to_toml(value);
  if (shown.size() > kShown) {
    shown = shown.substr(0, kShown) + "…";
  }
  return wrong(fmt::format("must be {}, not {}", describe(shape), shown));
}

Result<std::string>
convert(const Shape& shape, const Value& value, As<std::string>) {
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr) {
    return does_not_fit(shape, value);
  }
  if (shape.objection != nullptr) {
    if (auto objection = shape.objection(*text)) {
      return wrong(std::move(*objection));
    }
  }
  if (shape.choices.empty()) {
    return *text;
  }
  for (const std::string_view choice : shape.choices) {
    if (choice == *text) {
      return *text;
    }
  }
  Error error = does_not_fit(shape, value);
  if (const auto near = nearest(*text, shape.choices); !near.empty()) {
    error.message += fmt::format("; did you mean \"{}\"?", near);
  }
  return error;
}

// The number in the unit of the field, whatever form it is written in.
Result<std::int64_t> raw_integer(const Shape& shape, const Value& value) {
  const auto* number = std::get_if<std::int64_t>(&value.data);
  const auto* text = std::get_if<std::string>(&value.data);
  const bool duration =
      shape.form == Form::kSeconds || shape.form == Form::kMilliseconds;
  if (number != nullptr && !duration) {
    return *number;
  }
  if (text == nullptr || (!duration && shape.form != Form::kBytes)) {
    return does_not_fit(shape, value);
  }
  const auto read = duration ? parse_duration_ms(*text) : parse_bytes(*text);
  if (!read.ok()) {
    return read.error();
  }
  if (shape.form != Form::kSeconds) {
    return static_cast<std::int64_t>(read.value());
  }
  if (read.value() % kMsPerSecond != 0) {
    return wrong(fmt::format("\"{}\": write whole seconds", *text));
  }
  return static_cast<std::int64_t>(read.value() / kMsPerSecond);
}

Result<std::int64_t>
convert(const Shape& shape, const Value& value, As<std::int64_t>) {
  const auto number = raw_integer(shape, value);
  if (!number.ok()) {
    return number.error();
  }
  const std::int64_t n = number.value();
  if (n < shape.least || n > shape.most || n % shape.multiple_of != 0) {
    return does_not_fit(shape, value);
  }
  return n;
}

Result<std::uint64_t>
convert(const Shape& shape, const Value& value, As<std::uint64_t>) {
  SWAVD_CHECK(shape.least >= 0);
  const auto number = convert(shape, value, As<std::int64_t>{});
  if (!number.ok()) {
    return number.error();
  }
  return static_cast<std::uint64_t>(number.value());
}

Result<double> convert(const Shape& shape, const Value& value, As<double>) {
  double number = 0;
  if (const auto* real = std::get_if<double>(&value.data)) {
    number = *real;
  } else if (const auto* integer = std::get_if<std::int64_t>(&value.data)) {
    number = static_cast<double>(*integer);
  } else {
    return does_not_fit(shape, value);
  }
  // Written so that a NaN is out of range.
  const bool high_enough =
      shape.above_lowest ? number > shape.lowest : number >= shape.lowest;
  if (!high_enough || !(number <= shape.highest)) {
    return does_not_fit(shape, value);
  }
  return number;
}

Result<bool> convert(const Shape& shape, const Value& value, As<bool>) {
  if (const auto* flag = std::get_if<bool>(&value.data)) {
    return *flag;
  }
  return does_not_fit(shape, value);
}

template <typename T>
Result<std::vector<T>>
convert(const Shape& shape, const Value& value, As<std::vector<T>>) {
  const auto* list = std::get_if<Value::List>(&value.data);
  if (list == nullptr && shape.may_be_single) {
    auto single = convert(shape, value, As<T>{});
    if (!single.ok()) {
      return single.error();
    }
    return std::vector<T>{std::move(single).value()};
  }
  const bool fits = list != nullptr &&
                    (shape.length == 0 || list->size() == shape.length) &&
                    (!list->empty() || shape.may_be_empty);
  if (!fits) {
    return does_not_fit(shape, value);
  }
  std::vector<T> items;
  for (const Value& item : *list) {
    auto converted = convert(shape, item, As<T>{});
    if (!converted.ok()) {
      return does_not_fit(shape, value);
    }
    items.push_back(std::move(converted).value());
  }
  return items;
}

Result<std::vector<CropConfig>> convert(
    const Shape& /*shape*/,
    const Value& value,
    As<std::vector<CropConfig>>) {
  return crops_from(value);
}

Result<std::map<std::string, std::string>> convert(
    const Shape& shape,
    const Value& value,
    As<std::map<std::string, std::string>>) {
  const auto* table = std::get_if<Value::Table>(&value.data);
  if (table == nullptr) {
    return does_not_fit(shape, value);
  }
  std::map<std::string, std::string> texts;
  for (const auto& [name, item] : *table) {
    const auto* text = std::get_if<std::string>(&item.data);
    texts[name] = text == nullptr ? to_toml(item) : *text;
  }
  return texts;
}

}  // namespace

std::optional<std::string>
bind(const Key& key, const Value& value, Config& config) {
  return std::visit(
      [&]<typename T>(Access<T> field) -> std::optional<std::string> {
        auto converted = convert(key.shape, value, As<T>{});
        if (!converted.ok()) {
          return converted.error().message;
        }
        field(config) = std::move(converted).value();
        return std::nullopt;
      },
      key.field);
}

}  // namespace swavd::service
