#pragma once

#include <cstdint>
#include <span>

#include "trainer/model/tensor_specs.h"

namespace swavd::trainer {

/// Writes elements [begin, begin + out.size()) of a float32 tensor as it is
/// before the first step, counted in C order. Each tensor draws from the
/// stream "init/<name>" of `seed` and each element from its own place in it,
/// so the result depends on neither order nor threads.
void initial_values(
    const TensorSpec& spec,
    std::uint64_t seed,
    std::int64_t begin,
    std::span<float> out);

}  // namespace swavd::trainer
