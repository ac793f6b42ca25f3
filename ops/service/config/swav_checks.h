#pragma once

#include <vector>

#include "ops/service/config.h"
#include "ops/service/config/contradictions.h"

namespace swavd::service {

/// Adds what of [swav] does not go together with the batch, the crops or
/// itself.
void check_swav(const Config& config, std::vector<Contradiction>& found);

/// What of [swav] runs, and is likely not what was wanted.
[[nodiscard]] std::vector<Contradiction> doubts_of_swav(const Config& config);

}  // namespace swavd::service
