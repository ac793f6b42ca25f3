#include "trainer/nn/swav_head.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <fmt/format.h>

namespace swavd::trainer {

SwavHead::SwavHead(const ParameterStore& store, const HeadOptions& options) {
  const std::size_t hidden = options.hidden.size();
  for (std::size_t i = 0; i <= hidden; ++i) {
    const std::size_t position = head_position(i, options);
    const std::string name = fmt::format("projection_head.{}", position);
    Layer layer{
        store.at(name + ".weight"), store.at(name + ".bias"), std::nullopt};
    if (options.batch_norm && i < hidden) {
      layer.norm.emplace(
          store, fmt::format("projection_head.{}", position + 1));
    }
    layers.push_back(std::move(layer));
  }
}

at::Tensor SwavHead::forward(const at::Tensor& features, Mode mode) const {
  at::Tensor x = features;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    x = at::linear(x, layer.weight, layer.bias);
    if (layer.norm) {
      x = layer.norm->forward_relu(x, mode);
    } else if (i + 1 < layers.size()) {
      x = x.relu_();
    }
  }
  return x;
}

at::Tensor normalise_rows(const at::Tensor& x) {
  constexpr double kLeastNorm = 1e-12;
  const at::Tensor norms =
      at::linalg_vector_norm(x, 2, at::IntArrayRef{1}, /*keepdim=*/true);
  return x / norms.clamp_min(kLeastNorm);
}

}  // namespace swavd::trainer
