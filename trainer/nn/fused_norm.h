#pragma once

#include <optional>

#include <ATen/core/Tensor.h>

namespace swavd::trainer {

/// What a fused BatchNorm reads and updates.
struct FusedNormTensors {
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor running_mean;  ///< undefined: none is updated
  at::Tensor running_var;   ///< likewise
};

/// True where `fused_norm` can stand in for PyTorch's operators: float32 and
/// bfloat16 on the CPU.
[[nodiscard]] bool can_fuse_norm(const at::Tensor& x);

/// Training-mode BatchNorm of [N, C, H, W] (channels last) or [N, C], plus
/// `residual` when given, then ReLU when `relu`: one operator that reads and
/// writes each tensor about half as often as the three it replaces, and rounds
/// a bfloat16 once instead of three times. The result has the type of `x`;
/// weights and statistics are float32. Results do not depend on the number of
/// threads.
[[nodiscard]] at::Tensor fused_norm(
    const at::Tensor& x,
    const std::optional<at::Tensor>& residual,
    const FusedNormTensors& norm,
    bool relu);

}  // namespace swavd::trainer
