#pragma once

#include <optional>
#include <string>

#include "ops/service/config/keys.h"
#include "ops/service/config/value.h"

namespace swavd::service {

/// Checks `value` and puts it into the key's field. Gives what is wrong, and
/// changes nothing, when it does not fit.
[[nodiscard]] std::optional<std::string>
bind(const Key& key, const Value& value, Config& config);

/// The key's value in `config`, as it would be written.
[[nodiscard]] Value value_of(const Key& key, const Config& config);

}  // namespace swavd::service
