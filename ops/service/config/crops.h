#pragma once

#include <vector>

#include "ops/base/result.h"
#include "ops/service/config.h"
#include "ops/service/config/value.h"

namespace swavd::service {

/// Reads `[{count = 2, size = 64, scale = [0.3, 1.0]}, …]`. Errors:
/// kInvalidArgument.
[[nodiscard]] Result<std::vector<CropConfig>> crops_from(const Value& value);

[[nodiscard]] Value::List crops_to_list(const std::vector<CropConfig>& crops);

}  // namespace swavd::service
