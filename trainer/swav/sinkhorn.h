#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "trainer/device/device_link.h"

namespace swavd::trainer {

struct SinkhornOptions {
  double epsilon = 0.05;        ///< regularisation, above 0
  std::int32_t iterations = 3;  ///< at least 1
  /// Of the device that the scores lie on; nullptr: the CPU.
  const DeviceLink* link = nullptr;
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
/// The same holds for float32 on a device, where it is kernels of our own.
[[nodiscard]] at::Tensor sinkhorn(
    const at::Tensor& scores,
    const SinkhornOptions& options);

}  // namespace swavd::trainer
