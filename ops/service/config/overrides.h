#pragma once

#include <string>
#include <vector>

#include "ops/service/config/layers.h"

namespace swavd::service {

/// SWAVD_SECTION__KEY of NAME=VALUE pairs, in the order of the keys. Values
/// are TOML, or texts without their quotes.
[[nodiscard]] Layers read_environment(
    const std::vector<std::string>& environment);

/// "section.key=value", in the order given. `stream.client.PROPERTY=value`
/// sets one property.
[[nodiscard]] Layers read_flags(const std::vector<std::string>& overrides);

}  // namespace swavd::service
