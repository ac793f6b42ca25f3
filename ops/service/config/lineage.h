#pragma once

#include <string>

#include "ops/service/config.h"

namespace swavd::service {

/// The values of all keys of class kLineage as TOML, in the table's order.
[[nodiscard]] std::string lineage_of(const Config& config);

}  // namespace swavd::service
