#include "trainer/nn/squeeze_excitation.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mm.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/nn/norm_kernels.h"
#include "trainer/nn/row_elements.h"

namespace swavd::trainer {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Images of channels-last rows, worked on one by one.
struct ImageRows {
  std::int64_t images = 0;
  std::int64_t pixels = 0;
  std::int64_t channels = 0;

  explicit ImageRows(const at::Tensor& x)
      : images(x.size(0)),
        pixels(x.size(2) * x.size(3)),
        channels(x.size(1)) {}

  /// Calls body(offset in pixels' floats, offset in channels' floats) for all
  /// images, in parallel when there is enough to do.
  template <typename Body>
  void for_each(const Body& body) const {
    constexpr std::int64_t kGrainFloats = 32768;
    const std::int64_t grain = 1 + kGrainFloats / (pixels * channels);
    at::parallel_for(
        0, images, grain, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            body(i * pixels * channels, i * channels);
          }
        });
  }
};

/// The scales and what leads to them.
struct Excitation {
  at::Tensor pooled;    ///< [N, C]
  at::Tensor squeezed;  ///< [N, R], behind the ReLU
  at::Tensor scales;    ///< [N, C]
};

at::Tensor spatial_means(const at::Tensor& x) {
  const ImageRows rows(x);
  at::Tensor means = at::empty({rows.images, rows.channels});
  auto* out = means.mutable_data_ptr<float>();
  with_elements_of(x, [&]<typename Element>(Element) {
    const auto* in = x.const_data_ptr<Element>();
    rows.for_each([&](std::int64_t from, std::int64_t to) {
      row_sum(in + from, rows.pixels, rows.channels, out + to);
    });
  });
  return means.div_(static_cast<double>(rows.pixels));
}

/// `x` times `scales`, plus `shifts` when defined, image by image.
at::Tensor scale_images(
    const at::Tensor& x,
    const at::Tensor& scales,
    const at::Tensor& shifts) {
  const ImageRows rows(x);
  at::Tensor y = at::empty_like(x);
  const auto* scale = scales.const_data_ptr<float>();
  const auto* shift =
      shifts.defined() ? shifts.const_data_ptr<float>() : nullptr;
  with_elements_of(x, [&]<typename Element>(Element) {
    const auto* in = x.const_data_ptr<Element>();
    auto* out = y.mutable_data_ptr<Element>();
    rows.for_each([&](std::int64_t from, std::int64_t to) {
      scale_rows(
          in + from,
          rows.pixels,
          rows.channels,
          scale + to,
          shift == nullptr ? nullptr : shift + to,
          out + from);
    });
  });
  return y;
}

/// Sums of a * b over the pixels of each image: [N, C].
at::Tensor spatial_dots(const at::Tensor& a, const at::Tensor& b) {
  const ImageRows rows(a);
  at::Tensor dots = at::empty({rows.images, rows.channels});
  auto* out = dots.mutable_data_ptr<float>();
  with_elements_of(a, [&]<typename Element>(Element) {
    const auto* left = a.const_data_ptr<Element>();
    const auto* right = b.const_data_ptr<Element>();
    rows.for_each([&](std::int64_t from, std::int64_t to) {
      row_dot(left + from, right + from, rows.pixels, rows.channels, out + to);
    });
  });
  return dots;
}

/// The layer as one operator for float32 and bfloat16 on the CPU: each big
/// tensor is read once forward for the means, once for the product, and as
/// often backward. What is pooled is float32, autocast or not: it is small.
struct FusedExcitation : torch::autograd::Function<FusedExcitation> {
  static at::Tensor forward(
      AutogradContext* context,
      const at::Tensor& input,
      const at::Tensor& squeeze_weight,
      const at::Tensor& squeeze_bias,
      const at::Tensor& excite_weight,
      const at::Tensor& excite_bias) {
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(
        c10::DispatchKey::AutocastCPU);
    const at::Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor pooled = spatial_means(x);
    const at::Tensor squeezed =
        at::linear(pooled, squeeze_weight.flatten(1), squeeze_bias).relu_();
    const at::Tensor scales =
        at::linear(squeezed, excite_weight.flatten(1), excite_bias).sigmoid_();
    context->save_for_backward(
        {x, pooled, squeezed, scales, squeeze_weight, excite_weight});
    return scale_images(x, scales, {});
  }

  static variable_list backward(
      AutogradContext* context,
      const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const at::Tensor& pooled = saved[1];
    const at::Tensor& squeezed = saved[2];
    const at::Tensor& scales = saved[3];
    const at::Tensor squeeze_weight = saved[4].flatten(1);
    const at::Tensor excite_weight = saved[5].flatten(1);
    const at::Tensor dy =
        gradients[0].contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor excited =
        spatial_dots(dy, x).mul_(scales).mul_(1 - scales);
    const at::Tensor reduced =
        at::mm(excited, excite_weight).mul_(squeezed.gt(0));
    const auto pixels = static_cast<double>(x.size(2) * x.size(3));
    const at::Tensor spread = at::mm(reduced, squeeze_weight).div_(pixels);
    return {
        scale_images(dy, scales, spread),
        at::mm(reduced.t(), pooled).view_as(saved[4]),
        reduced.sum(0),
        at::mm(excited.t(), squeezed).view_as(saved[5]),
        excited.sum(0)};
  }
};

}  // namespace

SqueezeExcitation::SqueezeExcitation(
    const ParameterStore& store,
    const std::string& name)
    : squeeze_weight(store.at(name + ".attention.0.weight")),
      squeeze_bias(store.at(name + ".attention.0.bias")),
      excite_weight(store.at(name + ".attention.2.weight")),
      excite_bias(store.at(name + ".attention.2.bias")) {}

at::Tensor SqueezeExcitation::forward(const at::Tensor& x) const {
  if (has_plain_rows(x)) {
    return FusedExcitation::apply(
        x, squeeze_weight, squeeze_bias, excite_weight, excite_bias);
  }
  // On pooled maps the 1x1 convolutions are plain linear layers.
  const at::Tensor squeezed =
      at::linear(at::mean(x, {2, 3}), squeeze_weight.flatten(1), squeeze_bias)
          .relu_();
  const at::Tensor scales =
      at::linear(squeezed, excite_weight.flatten(1), excite_bias).sigmoid_();
  return x * scales.unsqueeze(2).unsqueeze(3);
}

}  // namespace swavd::trainer
