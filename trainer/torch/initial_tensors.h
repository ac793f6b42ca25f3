#pragma once

#include <vector>

#include "ops/base/result.h"
#include "trainer/initial_weights.h"
#include "trainer/torch/snapshot_tensors.h"

namespace swavd::trainer {

/// Copies the values that `weights` has into live tensors, one after the other;
/// the rest stay as they are, the momenta among them. Errors: those of
/// `InitialWeights::read`; some tensors may have been written by then.
[[nodiscard]] Status copy_initial_tensors(
    const std::vector<SnapshotTensor>& tensors,
    const InitialWeights& weights);

}  // namespace swavd::trainer
