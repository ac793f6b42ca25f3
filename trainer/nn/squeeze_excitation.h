#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "trainer/nn/parameter_store.h"

namespace swavd::trainer {

/// Scales each channel by a number in (0, 1) computed from all channels'
/// spatial means: two 1x1 convolutions with biases, ReLU, sigmoid.
struct SqueezeExcitation {
  at::Tensor squeeze_weight;  ///< [R, C, 1, 1]
  at::Tensor squeeze_bias;
  at::Tensor excite_weight;  ///< [C, R, 1, 1]
  at::Tensor excite_bias;

  /// The layer whose tensors are named `<name>.attention.0.weight`, …
  SqueezeExcitation(const ParameterStore& store, const std::string& name);

  /// `x` is [N, C, H, W], channels last.
  [[nodiscard]] at::Tensor forward(const at::Tensor& x) const;
};

}  // namespace swavd::trainer
