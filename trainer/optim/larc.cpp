#include "trainer/optim/larc.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

namespace {

constexpr double kNormEpsilon = 1e-8;  // apex's default

/// By what g and p enter the momentum, one scalar a tensor each.
struct LarcScales {
  std::vector<at::Tensor> gradient;
  std::vector<at::Tensor> parameter;
};

LarcScales larc_scales(
    const std::vector<at::Tensor>& parameters,
    const std::vector<at::Tensor>& gradients,
    const LarcOptions& options) {
  const at::Tensor p = at::stack(at::_foreach_norm(parameters));
  const at::Tensor g = at::stack(at::_foreach_norm(gradients));
  const at::Tensor live = p.ne(0).logical_and_(g.ne(0));
  const at::Tensor adapted =
      options.trust * p / (g + options.weight_decay * p + kNormEpsilon);
  return {
      at::where(live, adapted, at::ones_like(adapted)).unbind(),
      at::where(live, adapted * options.weight_decay, at::zeros_like(adapted))
          .unbind()};
}

}  // namespace

Larc::Larc(std::vector<at::Tensor> parameters, const LarcOptions& options)
    : parameters_(std::move(parameters)),
      options_(options) {
  const at::NoGradGuard no_grad;
  momenta_.reserve(parameters_.size());
  for (const at::Tensor& parameter : parameters_) {
    momenta_.push_back(at::zeros_like(parameter));
  }
}

void Larc::step(double learning_rate) noexcept {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parameters;
  std::vector<at::Tensor> gradients;
  std::vector<at::Tensor> momenta;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].grad().defined()) {
      parameters.push_back(parameters_[i]);
      gradients.push_back(parameters_[i].grad());
      momenta.push_back(momenta_[i]);
    }
  }
  if (parameters.empty()) {
    return;
  }
  const LarcScales scales = larc_scales(parameters, gradients, options_);
  at::_foreach_mul_(momenta, options_.momentum);
  at::_foreach_addcmul_(momenta, gradients, scales.gradient);
  at::_foreach_addcmul_(momenta, parameters, scales.parameter);
  at::_foreach_add_(parameters, momenta, -learning_rate);
}

}  // namespace swavd::trainer
