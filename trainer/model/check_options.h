#pragma once

#include "ops/base/result.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// Errors: kInvalidArgument naming the first option out of range. The trunk's
/// dimensions are `design_trunk`'s to check.
[[nodiscard]] Status check_options(const TrainerOptions& options);

}  // namespace swavd::trainer
