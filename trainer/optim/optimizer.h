#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/device/device_link.h"
#include "trainer/options.h"

namespace swavd::trainer {

enum class Momentum {
  kPlain,
  kNesterov,  ///< p -= rate * (d + momentum * v); of kSgd without a link
};

/// SGD with momentum: v = momentum * v + a * d; p -= rate * v, with dampening
/// 0. What d and a are for the gradient g of a
/// tensor p is the kind's matter:
///
/// - kSgd: d = g + wd * p, a = 1: torch.optim.SGD.
/// - kLarc (You et al. 2017) with apex's semantics: of each tensor, biases and
///   BatchNorm included, d = g + wd * p and
///   a = trust * |p| / (|g| + wd * |p| + 1e-8), unless |p| or |g| is zero: then
///   d = g and a = 1, so a tensor that begins as zero takes its first step
///   unscaled and undecayed.
/// - kLars as in Barlow Twins and VISSL: d = g + wd * p, a = trust * |p| / |d|
///   (1 where either is zero); one-dimensional tensors (biases, BatchNorm) are
///   left out of both: d = g, a = 1.
///
/// Norms and factors stay on the tensors' device: nothing waits for it. On a
/// GPU they and the update are kernels of our own, which read and write each
/// tensor once: the decay is not written into the gradients.
class Optimizer {
 public:
  /// `parameters` are updated in place for ever after. Momenta begin as zero
  /// and are laid out like their parameters. `link` is of the device that all
  /// lie on; nullptr: the CPU.
  Optimizer(
      std::vector<at::Tensor> parameters,
      const OptimizerOptions& options,
      std::shared_ptr<const DeviceLink> link = nullptr,
      Momentum momentum = Momentum::kPlain);

  /// An update worked out and not done yet. Dropping it changes nothing but
  /// the gradients.
  struct Update {
    std::vector<at::Tensor> parameters;
    /// d, in the gradients' memory; on a device the gradients themselves.
    std::vector<at::Tensor> directions;
    std::vector<at::Tensor> momenta;
    /// a, a scalar each; none for kSgd. On a device one tensor holds them all.
    std::vector<at::Tensor> factors;
    at::Tensor decays;  ///< on a device: wd or 0, of each; undefined for kSgd
    /// [3] float32: the 10th, 50th and 90th percentile (nearest rank) of a over
    /// the tensors it was worked out for; NaN when there are none. Undefined
    /// for kSgd.
    at::Tensor trust_ratios;
  };

  /// What the parameters' gradients ask for. Uses the gradients up. A parameter
  /// without one is left alone altogether: no decay, no momentum.
  [[nodiscard]] Update prepare() const;

  /// Does it, and uses the directions up. An exception ends the process: half
  /// an update must not live on.
  void apply(const Update& update, double learning_rate) noexcept;

  /// In the order of the parameters.
  [[nodiscard]] const std::vector<at::Tensor>& momenta() const {
    return momenta_;
  }

 private:
  void prepare_sgd(Update& update) const;
  void prepare_larc(Update& update) const;
  void prepare_lars(Update& update) const;
  void prepare_on_device(Update& update) const;
  void apply_on_device(const Update& update, double learning_rate) const;

  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> momenta_;
  OptimizerOptions options_;
  std::shared_ptr<const DeviceLink> link_;
  Momentum momentum_;
};

}  // namespace swavd::trainer
