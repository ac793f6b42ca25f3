#pragma once

#include <cuda_runtime.h>

#include "trainer/cuda/kernel_jobs.h"

namespace swavd::trainer {

// Put the launches of a job into a stream of the current device.

[[nodiscard]] cudaError_t launch_sinkhorn(
    const SinkhornJob& job,
    cudaStream_t stream);

[[nodiscard]] cudaError_t launch_trust_ratios(
    const RatioJob& job,
    cudaStream_t stream);

[[nodiscard]] cudaError_t launch_update(
    const UpdateJob& job,
    cudaStream_t stream);

}  // namespace swavd::trainer
