#include "trainer/nn/batch_norm.h"

#include <optional>

#include <ATen/ops/batch_norm.h>

#include "trainer/nn/fused_norm.h"

namespace swavd::trainer {

namespace {

at::Tensor plain_norm(const BatchNorm& norm, const at::Tensor& x, Mode mode) {
  const bool running = mode != Mode::kRecompute;
  return at::batch_norm(
      x,
      norm.weight,
      norm.bias,
      running ? norm.running_mean : at::Tensor(),
      running ? norm.running_var : at::Tensor(),
      /*training=*/mode != Mode::kEval,
      BatchNorm::kMomentum,
      BatchNorm::kEpsilon,
      /*cudnn_enabled=*/true);
}

at::Tensor fused(
    const BatchNorm& norm,
    const at::Tensor& x,
    const std::optional<at::Tensor>& residual,
    bool relu,
    Mode mode) {
  FusedNormTensors tensors{norm.weight, norm.bias, {}, {}};
  if (mode == Mode::kTrain) {
    tensors.running_mean = norm.running_mean;
    tensors.running_var = norm.running_var;
  }
  return fused_norm(x, residual, tensors, relu);
}

bool is_fused(const at::Tensor& x, Mode mode) {
  return mode != Mode::kEval && can_fuse_norm(x);
}

}  // namespace

BatchNorm::BatchNorm(const ParameterStore& store, const std::string& name)
    : weight(store.at(name + ".weight")),
      bias(store.at(name + ".bias")),
      running_mean(store.at(name + ".running_mean")),
      running_var(store.at(name + ".running_var")) {}

at::Tensor BatchNorm::forward(const at::Tensor& x, Mode mode) const {
  if (is_fused(x, mode)) {
    return fused(*this, x, std::nullopt, /*relu=*/false, mode);
  }
  return plain_norm(*this, x, mode);
}

at::Tensor BatchNorm::forward_relu(const at::Tensor& x, Mode mode) const {
  if (is_fused(x, mode)) {
    return fused(*this, x, std::nullopt, /*relu=*/true, mode);
  }
  return plain_norm(*this, x, mode).relu_();
}

at::Tensor BatchNorm::forward_add_relu(
    const at::Tensor& x,
    const at::Tensor& residual,
    Mode mode) const {
  if (is_fused(x, mode)) {
    return fused(*this, x, residual, /*relu=*/true, mode);
  }
  return plain_norm(*this, x, mode).add_(residual).relu_();
}

}  // namespace swavd::trainer
