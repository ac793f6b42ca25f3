#pragma once

#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/render/planes.h"

namespace swavd::loader {

/// Writes the planes as float32, channels last, [size, size, 3]: `level / 255`,
/// minus the mean, divided by the standard deviation, rounded to float32 after
/// each step, as transformers' `rescale` and `normalize` do. With one channel
/// the first plane stands for all three.
void normalize(
    const Planes& planes,
    int channels,
    const AugmentOptions& augment,
    float* out);

}  // namespace swavd::loader
