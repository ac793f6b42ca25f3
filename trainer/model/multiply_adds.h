#pragma once

#include <cstdint>

#include "trainer/model/trunk_design.h"

namespace swavd::trainer {

/// Multiplications, each with an addition, of the trunk's convolutions in a
/// forward pass of one image of `size` x `size` pixels. A backward pass takes
/// twice as many.
[[nodiscard]] std::int64_t multiply_adds(
    const TrunkDesign& design,
    std::int64_t size);

}  // namespace swavd::trainer
