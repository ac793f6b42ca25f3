#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "trainer/swav/sinkhorn.h"

namespace swavd::trainer {

struct SwavLossOptions {
  double temperature = 0.1;       ///< of the predictions, above 0
  std::int64_t assign_crops = 2;  ///< the first so many crops give codes
  SinkhornOptions sinkhorn;
};

/// SwAV's swapped prediction (Caron et al. 2020): the codes of each assigning
/// crop are predicted from every other crop. `scores` [crops * images, K] is
/// crop-major, float32 or float64. Gives a scalar in nats, with a gradient.
[[nodiscard]] at::Tensor swav_loss(
    const at::Tensor& scores,
    std::int64_t images,
    const SwavLossOptions& options);

}  // namespace swavd::trainer
