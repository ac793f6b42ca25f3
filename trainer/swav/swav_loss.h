#pragma once

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "trainer/swav/sinkhorn.h"

namespace swavd::trainer {

struct SwavLossOptions {
  double temperature = 0.1;       ///< of the predictions, above 0
  std::int64_t assign_crops = 2;  ///< the first so many crops give codes
  SinkhornOptions sinkhorn;
  bool hard_codes = false;  ///< an image's code is its likeliest prototype
};

/// How a step scored against one set of prototypes.
struct SetScores {
  at::Tensor batch;   ///< [crops * images, K], crop-major
  at::Tensor queued;  ///< [assigning crops, queue, K]; undefined: no queue
};

/// SwAV's swapped prediction (Caron et al. 2020): the codes of each assigning
/// crop are predicted from every other crop. Queued images take part in
/// finding the codes and nothing else. The mean over the sets, a scalar in
/// nats, with a gradient. Computed in float32, or float64 for scores of that
/// type.
[[nodiscard]] at::Tensor swav_loss(
    std::span<const SetScores> sets,
    std::int64_t images,
    const SwavLossOptions& options);

}  // namespace swavd::trainer
