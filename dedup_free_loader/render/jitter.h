#pragma once

#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/render/planes.h"

namespace swavd::loader {

/// Executes the plan's colour jitter and its conversion to grey, in place.
/// Returns how many planes hold the result: 3, or 1 for a grey picture.
int apply_colors(const CropPlan& plan, const Planes& planes);

}  // namespace swavd::loader
