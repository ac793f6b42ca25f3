#pragma once

#include "ops/base/result.h"
#include "ops/service/config.h"

namespace swavd::service {

/// What `swavd validate` checks beyond the file: the data folder can be
/// written, the stream answers, the object store can be written, the images
/// of a probe can be read. Errors: the
/// first thing that is not there, with what to do.
[[nodiscard]] Status validate_environment(const Config& config);

}  // namespace swavd::service
