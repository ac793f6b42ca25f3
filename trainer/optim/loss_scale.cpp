#include "trainer/optim/loss_scale.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

namespace {

constexpr float kFirstScale = 65536;
constexpr std::int64_t kGoodStepsToGrow = 2000;

}  // namespace

LossScale::LossScale(Precision precision) {
  if (precision == Precision::kFloat16) {
    scale_ = at::empty({}, at::kFloat);
    good_steps_ = at::empty({}, at::kLong);
    set_state({kFirstScale, 0});
  }
}

LossScale::State LossScale::state() const {
  if (!active()) {
    return {};
  }
  return {
      *scale_.const_data_ptr<float>(),
      *good_steps_.const_data_ptr<std::int64_t>()};
}

void LossScale::set_state(const State& state) {
  if (active()) {
    *scale_.mutable_data_ptr<float>() = state.scale;
    *good_steps_.mutable_data_ptr<std::int64_t>() = state.good_steps;
  }
}

double LossScale::value() const {
  return state().scale;
}

at::Tensor LossScale::scaled(const at::Tensor& loss) const {
  return active() ? loss * value() : loss;
}

void LossScale::unscale(const std::vector<at::Tensor>& parameters) const {
  if (!active()) {
    return;
  }
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters) {
    if (parameter.grad().defined()) {
      gradients.push_back(parameter.grad());
    }
  }
  at::_foreach_mul_(gradients, 1.0 / value());
}

void LossScale::grow() {
  State next = state();
  ++next.good_steps;
  if (next.good_steps == kGoodStepsToGrow) {
    next = {2 * next.scale, 0};
  }
  set_state(next);
}

bool LossScale::back_off() {
  const State now = state();
  if (now.scale <= 1) {
    return false;
  }
  set_state({now.scale / 2, 0});
  return true;
}

}  // namespace swavd::trainer
