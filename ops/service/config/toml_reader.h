#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ops/service/config/value.h"

namespace swavd::service {

struct SyntaxError {
  int line = 0;
  std::string message;
};

/// A document, or why it is none.
struct ParsedToml {
  Value::Table table;
  std::optional<SyntaxError> error;
};

/// Reads TOML 1.0. Stops at the first syntax error.
[[nodiscard]] ParsedToml parse_toml(std::string_view text);

}  // namespace swavd::service
