#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace swavd::trainer {

struct SinkhornOptions {
  double epsilon = 0.05;        ///< regularisation, above 0
  std::int32_t iterations = 3;  ///< at least 1
};

/// Soft codes for a batch: assigns each row of `scores` to prototypes so that
/// all prototypes are used about equally (VISSL's variant of Sinkhorn-Knopp,
/// with its guards). `scores` [N, K] float32 or float64; gives Q of the same
/// shape and type, each row summing to one, or zero where nothing of it was
/// left beside the greatest score (about 87 epsilon below, in float32). A score
/// that is no number makes codes that are none. Computes no gradient.
///
/// float32 on the CPU takes one pass over the plan an iteration; its codes are
/// within 1e-5 of those in float64, and do not depend on the number of threads.
[[nodiscard]] at::Tensor sinkhorn(
    const at::Tensor& scores,
    const SinkhornOptions& options);

}  // namespace swavd::trainer
