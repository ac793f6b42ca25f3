#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/model/trunk_design.h"
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

  ConvNorm(const ParameterStore& store, const ConvDesign& design);

  [[nodiscard]] at::Tensor convolve(const at::Tensor& x) const;
};

/// Convolutions with ReLU between them, squeeze-and-excitation before the last
/// one where there is any, a shortcut, ReLU.
struct ResidualBlock {
  std::vector<ConvNorm> convs;
  std::optional<SqueezeExcitation> attention;
  std::optional<ConvNorm> shortcut;  ///< absent: identity

  ResidualBlock(const ParameterStore& store, const BlockDesign& design);

  [[nodiscard]] at::Tensor forward(const at::Tensor& x, Mode mode) const;
};

/// The trunk. Holds handles to the store's tensors; cheap to copy.
struct Trunk {
  ConvNorm stem;
  bool pooled_stem = false;
  std::vector<std::vector<ResidualBlock>> stages;
  /// One past the last block of each group whose activations the backward pass
  /// computes anew, see `checkpoint_ends`; the blocks behind keep theirs.
  std::vector<std::size_t> recomputed;

  Trunk(const ParameterStore& store, const TrunkDesign& design);

  /// What the first stage takes of images [N, 3, H, W], channels last.
  [[nodiscard]] at::Tensor forward_stem(const at::Tensor& images, Mode mode)
      const;

  /// Pooled features [N, features] of images [N, 3, H, W], channels last. The
  /// trunk must outlive a backward pass through them.
  [[nodiscard]] at::Tensor forward(const at::Tensor& images, Mode mode) const;

  /// Feature maps [N, C, H, W] at the ends of the last `count` stages, or of
  /// all where there are fewer, first stage first.
  [[nodiscard]] std::vector<at::Tensor>
  stage_maps(const at::Tensor& images, Mode mode, std::size_t count) const;

 private:
  /// Blocks `begin` to `end`, counted over all stages, the first one with the
  /// stem.
  [[nodiscard]] at::Tensor
  run(const at::Tensor& x, std::size_t begin, std::size_t end, Mode mode) const;
  [[nodiscard]] std::size_t block_count() const;
};

}  // namespace swavd::trainer
