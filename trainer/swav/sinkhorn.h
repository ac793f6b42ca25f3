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
/// shape and type, each row summing to one. Computes no gradient.
[[nodiscard]] at::Tensor sinkhorn(
    const at::Tensor& scores,
    const SinkhornOptions& options);

}  // namespace swavd::trainer
