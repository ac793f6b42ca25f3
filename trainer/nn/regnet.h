#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/model/regnet_design.h"
#include "trainer/nn/batch_norm.h"
#include "trainer/nn/parameter_store.h"
#include "trainer/nn/squeeze_excitation.h"

namespace swavd::trainer {

/// A convolution without bias and the BatchNorm behind it.
struct ConvNorm {
  at::Tensor weight;
  BatchNorm norm;
  std::int64_t stride = 1;
  std::int64_t groups = 1;

  ConvNorm(
      const ParameterStore& store,
      const std::string& name,
      std::int64_t stride,
      std::int64_t groups);

  [[nodiscard]] at::Tensor convolve(const at::Tensor& x) const;
};

/// RegNet's Y block: 1x1, grouped 3x3, squeeze-and-excitation, 1x1, shortcut.
struct RegNetBlock {
  ConvNorm reduce;
  ConvNorm grouped;
  SqueezeExcitation attention;
  ConvNorm expand;
  std::optional<ConvNorm> shortcut;  ///< absent: identity

  RegNetBlock(
      const ParameterStore& store,
      const std::string& name,
      const StageDesign& stage,
      bool first);

  [[nodiscard]] at::Tensor forward(const at::Tensor& x, Mode mode) const;
};

/// The trunk. Holds handles to the store's tensors; cheap to copy.
struct RegNet {
  ConvNorm stem;
  std::vector<RegNetBlock> blocks;
  /// One past the last block of each group whose activations the backward pass
  /// computes anew, see `checkpoint_ends`; the blocks behind keep theirs.
  std::vector<std::size_t> recomputed;

  RegNet(const ParameterStore& store, const RegNetDesign& design);

  /// Pooled features [N, features] of images [N, 3, H, W], channels last. The
  /// trunk must outlive a backward pass through them.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, Mode mode) const;

 private:
  /// Blocks `begin` to `end`, the first one with the stem.
  [[nodiscard]] at::Tensor
  run(const at::Tensor& x, std::size_t begin, std::size_t end, Mode mode) const;
};

}  // namespace swavd::trainer
