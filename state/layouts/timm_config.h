#pragma once

#include <string>
#include <string_view>

#include "ops/base/result.h"
#include "state/layouts/trunk_shape.h"

namespace swavd::state {

/// The config.json with which `timm.create_model("local-dir:…")` builds and
/// loads `architecture` without a classifier, its input prepared as the
/// snapshot's preprocessor_config.json says. Errors: kCorruption (of that).
[[nodiscard]] Result<std::string> timm_config_json(
    std::string_view architecture,
    const TrunkShape& shape,
    std::string_view preprocessor);

}  // namespace swavd::state
