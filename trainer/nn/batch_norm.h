#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "trainer/nn/parameter_store.h"

namespace swavd::trainer {

/// With which statistics a BatchNorm normalises.
enum class Mode {
  kTrain,      ///< the batch's own; the running ones move towards them
  kRecompute,  ///< the batch's own again; the running ones have moved already
  kEval,       ///< the running ones, which stay as they are
};

/// BatchNorm over the channel dimension (1) of [N, C, H, W] or [N, C], with
/// PyTorch's defaults: eps 1e-5, momentum .1, running variance unbiased. The
/// count of batches seen is kept by whoever completes a step.
struct BatchNorm {
  static constexpr double kEpsilon = 1e-5;
  static constexpr double kMomentum = 0.1;

  at::Tensor weight;
  at::Tensor bias;
  at::Tensor running_mean;
  at::Tensor running_var;

  /// The layer whose tensors are named `<name>.weight`, …
  BatchNorm(const ParameterStore& store, const std::string& name);

  [[nodiscard]] at::Tensor forward(const at::Tensor& x, Mode mode) const;

  /// relu(forward(x)).
  [[nodiscard]] at::Tensor forward_relu(const at::Tensor& x, Mode mode) const;

  /// relu(forward(x) + residual): the end of a residual block.
  [[nodiscard]] at::Tensor forward_add_relu(
      const at::Tensor& x,
      const at::Tensor& residual,
      Mode mode) const;
};

}  // namespace swavd::trainer
