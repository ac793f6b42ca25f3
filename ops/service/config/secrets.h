#pragma once

#include <string_view>

namespace swavd::service {

/// Whether librdkafka keeps a secret under this name. Such a property is
/// refused (its value belongs into a file) and never printed.
[[nodiscard]] constexpr bool is_secret(std::string_view property) {
  return property.ends_with("password") || property.ends_with("secret") ||
         property.ends_with("key.pem");
}

}  // namespace swavd::service
