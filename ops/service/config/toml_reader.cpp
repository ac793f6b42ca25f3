#include "ops/service/config/toml_reader.h"

#include <algorithm>
#include <sstream>

// The reader hands errors back instead of throwing them.
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace swavd::service {
namespace {

int line_of(const toml::source_region& source) {
  return static_cast<int>(source.begin.line);
}

Value convert(const toml::node& node, int line);

Value::Table convert_table(const toml::table& table) {
  Value::Table out;
  for (const auto& [key, node] : table) {
    out.emplace_back(
        std::string(key.str()), convert(node, line_of(key.source())));
  }
  // toml++ sorts by key; people count from the top of the file.
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return a.second.line < b.second.line;
  });
  return out;
}

Value::List convert_list(const toml::array& array) {
  Value::List out;
  for (const toml::node& node : array) {
    out.push_back(convert(node, line_of(node.source())));
  }
  return out;
}

Value convert(const toml::node& node, int line) {
  Value value;
  value.line = line;
  if (const auto* table = node.as_table()) {
    value.data = convert_table(*table);
  } else if (const auto* array = node.as_array()) {
    value.data = convert_list(*array);
  } else if (const auto* text = node.as_string()) {
    value.data = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.data = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    value.data = real->get();
  } else if (const auto* flag = node.as_boolean()) {
    value.data = flag->get();
  } else {
    std::ostringstream date;
    node.visit([&date](const auto& n) { date << n; });
    value.data = date.str();
  }
  return value;
}

}  // namespace

ParsedToml parse_toml(std::string_view text) {
  ParsedToml parsed;
  const toml::parse_result result = toml::parse(text);
  if (result) {
    parsed.table = convert_table(result.table());
  } else {
    parsed.error = SyntaxError{
        line_of(result.error().source()),
        std::string(result.error().description())};
  }
  return parsed;
}

}  // namespace swavd::service
