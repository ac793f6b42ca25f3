#include "trainer/optim/optimizer.h"

#include <limits>
#include <tuple>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include "ops/base/check.h"
#include "trainer/cuda/update_functors.h"

namespace swavd::trainer {

namespace {

constexpr double kNormEpsilon = 1e-8;  // apex's default

/// L2 norms, [tensors].
at::Tensor norms_of(const std::vector<at::Tensor>& tensors) {
  return at::stack(at::_foreach_norm(tensors));
}

/// `ratios` where `live`, else NaN.
at::Tensor live_ratios(const at::Tensor& ratios, const at::Tensor& live) {
  return at::where(
      live, ratios, at::Scalar(std::numeric_limits<double>::quiet_NaN()));
}

/// `ratios` with 1 for NaN, one by one.
std::vector<at::Tensor> factors_of(const at::Tensor& ratios) {
  return at::where(ratios.isnan(), at::ones_like(ratios), ratios).unbind();
}

at::Tensor percentiles(const at::Tensor& ratios) {
  const at::Tensor ascending = std::get<0>(ratios.sort());  // NaN comes last
  const at::Tensor last = ratios.isnan().logical_not().sum() - 1;
  const at::Tensor ranks = at::stack({last * 0.1, last * 0.5, last * 0.9});
  // Without any number `last` is -1, and the first rank holds a NaN.
  return ascending.gather(0, ranks.round().clamp_min(0).to(at::kLong));
}

bool same_layout(const at::Tensor& a, const at::Tensor& b) {
  for (std::int64_t i = 0; i < a.dim(); ++i) {
    if (a.size(i) > 1 && a.stride(i) != b.stride(i)) {
      return false;
    }
  }
  return true;
}

/// `gradient` with its numbers where those of `parameter` lie.
at::Tensor laid_out_like(
    const at::Tensor& gradient,
    const at::Tensor& parameter) {
  return same_layout(gradient, parameter)
             ? gradient
             : at::empty_like(parameter).copy_(gradient);
}

/// The tensors of an update as kernels see them.
std::vector<UpdateTensor> rows_of(
    const Optimizer::Update& update,
    OptimizerKind kind) {
  std::vector<UpdateTensor> rows;
  rows.reserve(update.parameters.size());
  for (std::size_t i = 0; i < update.parameters.size(); ++i) {
    const at::Tensor& parameter = update.parameters[i];
    SWAVD_CHECK(parameter.is_non_overlapping_and_dense());
    const bool adapted = kind != OptimizerKind::kLars || parameter.dim() != 1;
    rows.push_back(
        {parameter.mutable_data_ptr<float>(),
         update.directions[i].const_data_ptr<float>(),
         update.momenta[i].mutable_data_ptr<float>(),
         parameter.numel(),
         adapted ? 1 : 0});
  }
  return rows;
}

}  // namespace

Optimizer::Optimizer(
    std::vector<at::Tensor> parameters,
    const OptimizerOptions& options,
    std::shared_ptr<const DeviceLink> link,
    Momentum momentum)
    : parameters_(std::move(parameters)),
      options_(options),
      link_(std::move(link)),
      momentum_(momentum) {
  SWAVD_CHECK(
      momentum == Momentum::kPlain ||
      (options.kind == OptimizerKind::kSgd && link_ == nullptr));
  const at::NoGradGuard no_grad;
  momenta_.reserve(parameters_.size());
  for (const at::Tensor& parameter : parameters_) {
    momenta_.push_back(at::zeros_like(parameter));
  }
}

Optimizer::Update Optimizer::prepare() const {
  const at::NoGradGuard no_grad;
  Update update;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].grad().defined()) {
      update.parameters.push_back(parameters_[i]);
      update.directions.push_back(parameters_[i].grad());
      update.momenta.push_back(momenta_[i]);
    }
  }
  if (update.parameters.empty()) {
    return update;
  }
  if (link_ != nullptr) {
    prepare_on_device(update);
    return update;
  }
  switch (options_.kind) {
    case OptimizerKind::kSgd:
      prepare_sgd(update);
      break;
    case OptimizerKind::kLarc:
      prepare_larc(update);
      break;
    case OptimizerKind::kLars:
      prepare_lars(update);
      break;
  }
  return update;
}

void Optimizer::prepare_sgd(Update& update) const {
  if (options_.weight_decay > 0) {
    at::_foreach_add_(
        update.directions, update.parameters, options_.weight_decay);
  }
}

void Optimizer::prepare_larc(Update& update) const {
  const double decay = options_.weight_decay;
  const at::Tensor p = norms_of(update.parameters);
  const at::Tensor g = norms_of(update.directions);
  const at::Tensor live = p.ne(0).logical_and_(g.ne(0));
  const at::Tensor ratios =
      live_ratios(options_.trust * p / (g + decay * p + kNormEpsilon), live);
  at::_foreach_addcmul_(
      update.directions,
      update.parameters,
      live.to(p.scalar_type()).mul_(decay).unbind());
  update.factors = factors_of(ratios);
  update.trust_ratios = percentiles(ratios);
}

void Optimizer::prepare_lars(Update& update) const {
  std::vector<at::Tensor> parameters;
  std::vector<at::Tensor> directions;
  for (std::size_t i = 0; i < update.parameters.size(); ++i) {
    if (update.parameters[i].dim() != 1) {
      parameters.push_back(update.parameters[i]);
      directions.push_back(update.directions[i]);
    }
  }
  if (parameters.empty()) {
    return;
  }
  at::_foreach_add_(directions, parameters, options_.weight_decay);
  const at::Tensor p = norms_of(parameters);
  const at::Tensor d = norms_of(directions);
  const at::Tensor ratios =
      live_ratios(options_.trust * p / d, p.gt(0).logical_and_(d.gt(0)));
  const std::vector<at::Tensor> factors = factors_of(ratios);
  const at::Tensor one = at::ones_like(factors.front());
  auto next = factors.begin();
  for (const at::Tensor& parameter : update.parameters) {
    update.factors.push_back(parameter.dim() == 1 ? one : *next++);
  }
  update.trust_ratios = percentiles(ratios);
}

void Optimizer::prepare_on_device(Update& update) const {
  for (std::size_t i = 0; i < update.directions.size(); ++i) {
    update.directions[i] =
        laid_out_like(update.directions[i], update.parameters[i]);
  }
  if (options_.kind == OptimizerKind::kSgd) {
    return;
  }
  const std::vector<UpdateTensor> rows = rows_of(update, options_.kind);
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto floats = [&](std::int64_t size) {
    return at::empty({size}, parameters_.front().options());
  };
  const at::Tensor workspace = floats(update_workspace(rows.data(), count));
  const at::Tensor ratios = floats(count);
  update.factors = {floats(count)};
  update.decays = floats(count);
  link_->trust_ratios(
      {rows.data(),
       count,
       workspace.mutable_data_ptr<float>(),
       ratios.mutable_data_ptr<float>(),
       update.factors.front().mutable_data_ptr<float>(),
       update.decays.mutable_data_ptr<float>(),
       options_.kind == OptimizerKind::kLarc ? RatioRule::kLarc
                                             : RatioRule::kLars,
       static_cast<float>(options_.trust),
       static_cast<float>(options_.weight_decay)});
  update.trust_ratios = percentiles(ratios);
}

void Optimizer::apply_on_device(const Update& update, double learning_rate)
    const {
  const std::vector<UpdateTensor> rows = rows_of(update, options_.kind);
  const auto values = [](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
  };
  link_->update(
      {rows.data(),
       static_cast<std::int64_t>(rows.size()),
       update.factors.empty() ? nullptr : values(update.factors.front()),
       values(update.decays),
       static_cast<float>(options_.weight_decay),
       static_cast<float>(options_.momentum),
       static_cast<float>(learning_rate)});
}

void Optimizer::apply(const Update& update, double learning_rate) noexcept {
  if (update.parameters.empty()) {
    return;
  }
  const at::NoGradGuard no_grad;
  if (link_ != nullptr) {
    apply_on_device(update, learning_rate);
    return;
  }
  at::_foreach_mul_(update.momenta, options_.momentum);
  if (update.factors.empty()) {
    at::_foreach_add_(update.momenta, update.directions);
  } else {
    at::_foreach_addcmul_(update.momenta, update.directions, update.factors);
  }
  if (momentum_ == Momentum::kPlain) {
    at::_foreach_add_(update.parameters, update.momenta, -learning_rate);
  } else {
    at::_foreach_add_(update.directions, update.momenta, options_.momentum);
    at::_foreach_add_(update.parameters, update.directions, -learning_rate);
  }
}

}  // namespace swavd::trainer
