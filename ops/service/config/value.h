#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace swavd::service {

/// A TOML value with the line it stands on. Dates are kept as their text.
struct Value {
  using List = std::vector<Value>;
  /// In the order of the file.
  using Table = std::vector<std::pair<std::string, Value>>;

  std::variant<std::string, std::int64_t, double, bool, List, Table> data;
  int line = 0;  ///< 0: not from a file
};

/// The value as TOML on one line. Real numbers take the shortest text that
/// reads back to the same bits.
[[nodiscard]] std::string to_toml(const Value& value);

/// "a text", "an integer", …: what the value is, for messages.
[[nodiscard]] std::string_view kind_of(const Value& value);

/// "TEXT" with TOML's escapes.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace swavd::service
