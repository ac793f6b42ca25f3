#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/nn/batch_norm.h"
#include "trainer/nn/parameter_store.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// SwAV's projection head: Linear, [BatchNorm,] ReLU, …, Linear. Holds handles
/// to the store's tensors.
struct SwavHead {
  struct Layer {
    at::Tensor weight;
    at::Tensor bias;
    std::optional<BatchNorm> norm;  ///< hidden layers of a head with BatchNorm
  };

  std::vector<Layer> layers;

  SwavHead(const ParameterStore& store, const HeadOptions& options);

  /// Embeddings [N, out] of features [N, in], not normalised.
  [[nodiscard]] at::Tensor forward(const at::Tensor& features, Mode mode) const;
};

/// Rows of `x` divided by their length (at least 1e-12).
[[nodiscard]] at::Tensor normalise_rows(const at::Tensor& x);

}  // namespace swavd::trainer
