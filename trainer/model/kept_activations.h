#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trainer/model/trunk_design.h"

namespace swavd::trainer {

/// Numbers that a training step keeps of one image of `size` x `size` pixels
/// from the forward to the backward pass: [0] of the stem and the first block,
/// then block by block. What is small beside them (statistics,
/// squeeze-and-excitation inside) is left out.
[[nodiscard]] std::vector<std::int64_t> kept_activations(
    const TrunkDesign& design,
    std::int64_t size);

/// Numbers that each block gives to the next, of the same image.
[[nodiscard]] std::vector<std::int64_t> block_outputs(
    const TrunkDesign& design,
    std::int64_t size);

/// Divides the trunk's blocks into at most `groups` runs of neighbours such
/// that the run that keeps most keeps as little as can be, and gives the ends
/// of all but the last (a block's number each, one past the run): what is
/// computed anew in the backward pass. The last run keeps its activations: they
/// are wanted at once. Empty for fewer than two groups.
[[nodiscard]] std::vector<std::size_t> checkpoint_ends(
    const TrunkDesign& design,
    std::int32_t groups);

}  // namespace swavd::trainer
