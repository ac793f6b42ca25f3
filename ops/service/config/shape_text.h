#pragma once

#include <string>

#include "ops/service/config/keys.h"

namespace swavd::service {

/// What a key takes, for messages: "an integer from 1 to 64", "one of stop,
/// jump", "a duration such as \"10m\"".
[[nodiscard]] std::string describe(const Shape& shape);

}  // namespace swavd::service
