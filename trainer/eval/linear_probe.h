#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/nn/batch_norm.h"
#include "trainer/nn/parameter_store.h"
#include "trainer/probe.h"

namespace swavd::trainer {

/// One probe: where it looks and whether BatchNorm comes first (VISSL's
/// "eval_mlp").
struct ProbeSpec {
  std::string name;
  std::size_t input = 0;  ///< which pooled map
  std::int64_t channels = 0;
  ProbeGrid grid;
  bool norm = true;

  [[nodiscard]] std::int64_t features() const {
    return channels * grid.height * grid.width;
  }
};

/// The tensors of a linear layer, first weights N(0, .01) and zeros.
[[nodiscard]] std::vector<TensorSpec> linear_specs(
    const std::string& name,
    std::int64_t inputs,
    std::int64_t outputs);

/// The tensors of a BatchNorm over `channels`.
[[nodiscard]] std::vector<TensorSpec> norm_specs(
    const std::string& name,
    std::int64_t channels);

/// All tensors of a probe for `classes` classes.
[[nodiscard]] std::vector<TensorSpec> probe_specs(
    const ProbeSpec& probe,
    std::int64_t classes);

/// [BatchNorm,] Linear. Holds handles to the store's tensors.
struct LinearProbe {
  std::size_t input;
  std::optional<BatchNorm> norm;
  at::Tensor weight;  ///< [classes, features]
  at::Tensor bias;

  LinearProbe(const ParameterStore& store, const ProbeSpec& probe);

  /// Logits [N, classes] of a pooled map [N, C, H, W].
  [[nodiscard]] at::Tensor forward(const at::Tensor& map, Mode mode) const;
};

/// The sum over probes of the mean cross-entropy; `labels`: [N] int64.
[[nodiscard]] at::Tensor probe_loss(
    const std::vector<LinearProbe>& probes,
    const std::vector<at::Tensor>& maps,
    const at::Tensor& labels);

}  // namespace swavd::trainer
