#pragma once

#include <vector>

#include "ops/service/config.h"
#include "ops/service/config/contradictions.h"

namespace swavd::service {

/// Adds what is wrong about the dimensions of `model.trunk`: keys of another
/// trunk that are not at their defaults, and trunks that no library could open.
void check_trunk_keys(const Config& config, std::vector<Contradiction>& found);

}  // namespace swavd::service
