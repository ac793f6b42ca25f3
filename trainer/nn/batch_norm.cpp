#include "trainer/nn/batch_norm.h"

#include <optional>

#include <ATen/ops/batch_norm.h>

#include "trainer/nn/fused_norm.h"

namespace swavd::trainer {

namespace {

at::Tensor plain_norm(const BatchNorm& norm, const at::Tensor& x, Mode mode) {
  return at::batch_norm(
      x,
      norm.weight,
      norm.bias,
      norm.running_mean,
      norm.running_var,
      /*training=*/mode == Mode::kTrain,
      BatchNorm::kMomentum,
      BatchNorm::kEpsilon,
      /*cudnn_enabled=*/true);
}

at::Tensor fused(
    const BatchNorm& norm,
    const at::Tensor& x,
    const std::optional<at::Tensor>& residual,
    bool relu) {
  return fused_norm(
      x,
      residual,
      {norm.weight, norm.bias, norm.running_mean, norm.running_var},
      relu);
}

bool is_fused(const at::Tensor& x, Mode mode) {
  return mode == Mode::kTrain && can_fuse_norm(x);
}

}  // namespace

BatchNorm::BatchNorm(const ParameterStore& store, const std::string& name)
    : weight(store.at(name + ".weight")),
      bias(store.at(name + ".bias")),
      running_mean(store.at(name + ".running_mean")),
      running_var(store.at(name + ".running_var")) {}

at::Tensor BatchNorm::forward(const at::Tensor& x, Mode mode) const {
  if (is_fused(x, mode)) {
    return fused(*this, x, std::nullopt, /*relu=*/false);
  }
  return plain_norm(*this, x, mode);
}

at::Tensor BatchNorm::forward_relu(const at::Tensor& x, Mode mode) const {
  if (is_fused(x, mode)) {
    return fused(*this, x, std::nullopt, /*relu=*/true);
  }
  return plain_norm(*this, x, mode).relu_();
}

at::Tensor BatchNorm::forward_add_relu(
    const at::Tensor& x,
    const at::Tensor& residual,
    Mode mode) const {
  if (is_fused(x, mode)) {
    return fused(*this, x, residual, /*relu=*/true);
  }
  return plain_norm(*this, x, mode).add_(residual).relu_();
}

}  // namespace swavd::trainer
