#include "trainer/nn/regnet.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
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

/// Means over height and width: [N, C].
at::Tensor pool(const at::Tensor& x) {
  return at::mean(x, {2, 3});
}

}  // namespace

ConvNorm::ConvNorm(
    const ParameterStore& store,
    const std::string& name,
    std::int64_t stride_in,
    std::int64_t groups_in)
    : weight(store.at(name + ".convolution.weight")),
      norm(store, name + ".normalization"),
      stride(stride_in),
      groups(groups_in) {}

at::Tensor ConvNorm::convolve(const at::Tensor& x) const {
  const std::int64_t kernel = weight.size(2);
  if (kernel == 1 && stride == 1 && x.size(2) * x.size(3) <= kSmallMap) {
    return pointwise(x, weight);
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

RegNetBlock::RegNetBlock(
    const ParameterStore& store,
    const std::string& name,
    const StageDesign& stage,
    bool first)
    : reduce(store, name + ".layer.0", /*stride=*/1, /*groups=*/1),
      grouped(
          store,
          name + ".layer.1",
          /*stride=*/first ? 2 : 1,
          stage.width / stage.group_width),
      attention(store, name + ".layer.2"),
      expand(store, name + ".layer.3", /*stride=*/1, /*groups=*/1) {
  if (first) {
    shortcut.emplace(store, name + ".shortcut", /*stride=*/2, /*groups=*/1);
  }
}

at::Tensor RegNetBlock::forward(const at::Tensor& x, Mode mode) const {
  at::Tensor y = reduce.norm.forward_relu(reduce.convolve(x), mode);
  y = grouped.norm.forward_relu(grouped.convolve(y), mode);
  y = expand.convolve(attention.forward(y));
  const at::Tensor residual =
      shortcut ? shortcut->norm.forward(shortcut->convolve(x), mode) : x;
  return expand.norm.forward_add_relu(y, residual, mode);
}

RegNet::RegNet(const ParameterStore& store, const RegNetDesign& design)
    : stem(store, "embedder.embedder", /*stride=*/2, /*groups=*/1) {
  for (std::size_t s = 0; s < design.stages.size(); ++s) {
    for (std::int64_t block = 0; block < design.stages[s].depth; ++block) {
      blocks.emplace_back(
          store, block_name(s, block), design.stages[s], block == 0);
    }
  }
}

at::Tensor RegNet::run(
    const at::Tensor& x,
    std::size_t begin,
    std::size_t end,
    Mode mode) const {
  at::Tensor y =
      begin == 0 ? stem.norm.forward_relu(stem.convolve(x), mode) : x;
  for (std::size_t i = begin; i < end; ++i) {
    y = blocks[i].forward(y, mode);
  }
  return y;
}

at::Tensor RegNet::forward(const at::Tensor& images, Mode mode) const {
  at::Tensor x = images;
  std::size_t begin = 0;
  for (const std::size_t end : recomputed) {
    const auto group = [this, begin, end](const at::Tensor& in, Mode how) {
      return run(in, begin, end, how);
    };
    x = mode == Mode::kTrain ? checkpointed(group, x) : group(x, mode);
    begin = end;
  }
  return pool(run(x, begin, blocks.size(), mode));
}

}  // namespace swavd::trainer
