#include <utility>

#include "ops/service/config/binding.h"
#include "ops/service/config/crops.h"
#include "ops/service/config/quantities.h"

namespace swavd::service {
namespace {

constexpr std::uint64_t kMsPerSecond = 1000;

Value written(const Shape& /*shape*/, const std::string& text) {
  return {text};
}

Value written(const Shape& shape, std::uint64_t number) {
  switch (shape.form) {
    case Form::kBytes: {
      std::string text = format_bytes(number);
      const bool plain = text.find('i') == std::string::npos;
      return plain ? Value{static_cast<std::int64_t>(number)}
                   : Value{std::move(text)};
    }
    case Form::kSeconds:
      return {format_duration_ms(number * kMsPerSecond)};
    case Form::kMilliseconds:
      return {format_duration_ms(number)};
    default:
      return {static_cast<std::int64_t>(number)};
  }
}

Value written(const Shape& /*shape*/, std::int64_t number) {
  return {number};
}

Value written(const Shape& /*shape*/, double number) {
  return {number};
}

Value written(const Shape& /*shape*/, bool flag) {
  return {flag};
}

template <typename T>
Value written(const Shape& shape, const std::vector<T>& items) {
  if (shape.may_be_single && items.size() == 1) {
    return written(shape, items.front());
  }
  Value::List list;
  for (const T& item : items) {
    list.push_back(written(shape, item));
  }
  return {std::move(list)};
}

Value written(const Shape& /*shape*/, const std::vector<CropConfig>& crops) {
  return {crops_to_list(crops)};
}

Value written(
    const Shape& /*shape*/,
    const std::map<std::string, std::string>& texts) {
  Value::Table table;
  for (const auto& [name, text] : texts) {
    table.emplace_back(name, Value{text});
  }
  return {std::move(table)};
}

}  // namespace

Value value_of(const Key& key, const Config& config) {
  // A field is reached for reading and writing by the same function; this one
  // only reads.
  auto& readable = const_cast<Config&>(config);
  return std::visit(
      [&](auto field) { return written(key.shape, field(readable)); },
      key.field);
}

}  // namespace swavd::service
