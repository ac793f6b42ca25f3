#pragma once

#include "ops/service/config.h"

namespace swavd::service {

/// Sets the least level and the format of the log as [log] says.
void apply_log_config(const Config& config);

}  // namespace swavd::service
