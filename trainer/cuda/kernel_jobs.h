#pragma once

#include <cstdint>

namespace swavd::trainer {

/// Soft codes, see trainer/swav/sinkhorn.h. All pointers are to memory of the
/// device, float32, rows dense.
struct SinkhornJob {
  const float* scores;  ///< [rows, prototypes]
  float* plan;          ///< [rows, prototypes]: the codes
  float* workspace;     ///< [sinkhorn_workspace(rows, prototypes)]
  std::int64_t rows;
  std::int64_t prototypes;
  float epsilon;
  std::int32_t iterations;  ///< at least 1
};

/// Floats that a Sinkhorn job needs beside its plan.
[[nodiscard]] inline std::int64_t sinkhorn_workspace(
    std::int64_t rows,
    std::int64_t prototypes);

/// One parameter of an optimiser: dense in memory, gradient and momentum laid
/// out like it.
struct UpdateTensor {
  float* parameter;
  const float* gradient;
  float* momentum;
  std::int64_t count;
  std::int32_t adapted;  ///< 0: no trust ratio and no decay (kLars)
};

/// How trust ratios follow from norms, see trainer/optim/optimizer.h.
enum class RatioRule : std::int32_t { kLarc, kLars };

/// Works out each tensor's trust ratio and decay from its norms.
struct RatioJob {
  const UpdateTensor* tensors;  ///< in the host's memory
  std::int64_t tensor_count;
  float* workspace;  ///< [update_workspace(tensors, tensor_count)]
  float* ratios;     ///< [tensor_count]; NaN where there is none
  float* factors;    ///< [tensor_count]: the ratio, else 1
  float* decays;     ///< [tensor_count]: what its decay is
  RatioRule rule;
  float trust;
  float weight_decay;
};

/// Floats that a ratio job needs beside its results.
[[nodiscard]] inline std::int64_t update_workspace(
    const UpdateTensor* tensors,
    std::int64_t tensor_count);

/// v = momentum * v + factor * (g + decay * p); p -= rate * v, of all tensors.
struct UpdateJob {
  const UpdateTensor* tensors;  ///< in the host's memory
  std::int64_t tensor_count;
  const float* factors;  ///< [tensor_count]; nullptr: 1
  const float* decays;   ///< [tensor_count]; nullptr: `weight_decay`
  float weight_decay;
  float momentum;
  float rate;
};

}  // namespace swavd::trainer
