#include "trainer/nn/trunk.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/mean.h>

#include "trainer/nn/checkpoint.h"

namespace swavd::trainer {

namespace {

/// Up to so many pixels a 1x1 convolution costs less as a matrix product over
/// the pixels than as a convolution, whose kernels reorder their operands (2.5
/// times less at one pixel and 368 channels, oneDNN 3.7 on AVX-512).
constexpr std::int64_t kSmallMap = 4;

/// A 1x1 convolution of a channels-last tensor as one matrix product.
at::Tensor pointwise(const at::Tensor& x, const at::Tensor& weight) {
  const at::Tensor pixels = x.permute({0, 2, 3, 1});
  return at::linear(pixels, weight.flatten(1)).permute({0, 3, 1, 2});
}

/// Below so many input channels the weights' gradient of a strided 1x1
/// convolution is not to be trusted: in channels-last maps oneDNN writes past
/// its buffer, and the result is wrong or worse (uxlfoundation/oneDNN issue
/// 6035; met with up to 7 channels on AVX2, whose blocks have 8; AVX-512's have
/// 16).
constexpr std::int64_t kLeastStridedChannels = 16;

/// Every `stride`-th pixel of each row and column.
at::Tensor every_pixel(const at::Tensor& x, std::int64_t stride) {
  return x.slice(2, 0, x.size(2), stride).slice(3, 0, x.size(3), stride);
}

/// Means over height and width: [N, C].
at::Tensor pool(const at::Tensor& x) {
  return at::mean(x, {2, 3});
}

}  // namespace

ConvNorm::ConvNorm(const ParameterStore& store, const ConvDesign& design)
    : weight(store.at(design.conv + ".weight")),
      norm(store, design.norm),
      stride(design.shape.stride),
      groups(design.shape.groups) {}

at::Tensor ConvNorm::convolve(const at::Tensor& x) const {
  const std::int64_t kernel = weight.size(2);
  if (kernel == 1 && stride == 1 && x.size(2) * x.size(3) <= kSmallMap) {
    return pointwise(x, weight);
  }
  if (kernel == 1 && stride > 1 && x.is_cpu() &&
      x.size(1) < kLeastStridedChannels) {
    return at::conv2d(every_pixel(x, stride), weight);
  }
  return at::conv2d(
      x,
      weight,
      /*bias=*/{},
      {stride, stride},
      {kernel / 2, kernel / 2},
      /*dilation=*/{1, 1},
      groups);
}

ResidualBlock::ResidualBlock(
    const ParameterStore& store,
    const BlockDesign& design) {
  for (const ConvDesign& conv : design.convs) {
    convs.emplace_back(store, conv);
  }
  if (design.attention) {
    attention.emplace(store, design.attention->name);
  }
  if (design.shortcut) {
    shortcut.emplace(store, *design.shortcut);
  }
}

at::Tensor ResidualBlock::forward(const at::Tensor& x, Mode mode) const {
  at::Tensor y = x;
  for (std::size_t i = 0; i + 1 < convs.size(); ++i) {
    y = convs[i].norm.forward_relu(convs[i].convolve(y), mode);
  }
  if (attention) {
    y = attention->forward(y);
  }
  y = convs.back().convolve(y);
  const at::Tensor residual =
      shortcut ? shortcut->norm.forward(shortcut->convolve(x), mode) : x;
  return convs.back().norm.forward_add_relu(y, residual, mode);
}

Trunk::Trunk(const ParameterStore& store, const TrunkDesign& design)
    : stem(store, design.stem),
      pooled_stem(design.pooled_stem) {
  for (const std::vector<BlockDesign>& blocks : design.stages) {
    stages.emplace_back();
    for (const BlockDesign& block : blocks) {
      stages.back().emplace_back(store, block);
    }
  }
}

at::Tensor Trunk::forward_stem(const at::Tensor& images, Mode mode) const {
  const at::Tensor x = stem.norm.forward_relu(stem.convolve(images), mode);
  return pooled_stem ? at::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}) : x;
}

std::size_t Trunk::block_count() const {
  std::size_t count = 0;
  for (const std::vector<ResidualBlock>& blocks : stages) {
    count += blocks.size();
  }
  return count;
}

at::Tensor Trunk::run(
    const at::Tensor& x,
    std::size_t begin,
    std::size_t end,
    Mode mode) const {
  at::Tensor y = begin == 0 ? forward_stem(x, mode) : x;
  std::size_t number = 0;
  for (const std::vector<ResidualBlock>& blocks : stages) {
    for (const ResidualBlock& block : blocks) {
      if (number >= begin && number < end) {
        y = block.forward(y, mode);
      }
      ++number;
    }
  }
  return y;
}

at::Tensor Trunk::forward(const at::Tensor& images, Mode mode) const {
  at::Tensor x = images;
  std::size_t begin = 0;
  for (const std::size_t end : recomputed) {
    const auto group = [this, begin, end](const at::Tensor& in, Mode how) {
      return run(in, begin, end, how);
    };
    x = mode == Mode::kTrain ? checkpointed(group, x) : group(x, mode);
    begin = end;
  }
  return pool(run(x, begin, block_count(), mode));
}

std::vector<at::Tensor> Trunk::stage_maps(
    const at::Tensor& images,
    Mode mode,
    std::size_t count) const {
  std::vector<at::Tensor> maps;
  at::Tensor x = forward_stem(images, mode);
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (const ResidualBlock& block : stages[stage]) {
      x = block.forward(x, mode);
    }
    if (stage + count >= stages.size()) {
      maps.push_back(x);
    }
  }
  return maps;
}

}  // namespace swavd::trainer
