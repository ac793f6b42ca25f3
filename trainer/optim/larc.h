#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/options.h"

namespace swavd::trainer {

/// SGD with momentum behind LARC (You et al. 2017) with apex's semantics:
/// per tensor, biases and BatchNorm included, g becomes
/// trust * |p| / (|g| + wd * |p| + 1e-8) * (g + wd * p) unless |p| or |g| is
/// zero, when g stays as it is; then v = momentum * v + g; p -= rate * v.
/// Norms stay on the tensors' device.
class Larc {
 public:
  /// `parameters` are updated in place for ever after. Momenta begin as zero
  /// and are laid out like their parameters.
  Larc(std::vector<at::Tensor> parameters, const LarcOptions& options);

  /// One update from the parameters' gradients. A parameter without one is
  /// left alone altogether: no decay, no momentum. An exception ends the
  /// process: half an update must not live on.
  void step(double learning_rate) noexcept;

  /// In the order of the parameters.
  [[nodiscard]] const std::vector<at::Tensor>& momenta() const {
    return momenta_;
  }

 private:
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> momenta_;
  LarcOptions options_;
};

}  // namespace swavd::trainer
