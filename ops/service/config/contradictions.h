#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/service/config.h"

namespace swavd::service {

/// Values that are each right and do not go together.
struct Contradiction {
  std::vector<std::string_view> keys;  ///< the first is the one to look at
  std::string message;                 ///< what to write instead
};

[[nodiscard]] std::vector<Contradiction> find_contradictions(
    const Config& config);

}  // namespace swavd::service
