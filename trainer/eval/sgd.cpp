#include "trainer/eval/sgd.h"

#include <algorithm>
#include <string>
#include <utility>

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

namespace {

bool is_decayed(
    const ParameterStore& store,
    const std::string& name,
    const SgdOptions& options) {
  const std::string prefix = name.substr(0, name.rfind('.'));
  const auto& entries = store.entries();
  const bool norm = std::any_of(
      entries.begin(),
      entries.end(),
      [statistic = prefix + ".running_mean"](const auto& entry) {
        return entry.spec.name == statistic;
      });
  if (norm) {
    return options.decay_norms;
  }
  return options.decay_biases || !name.ends_with(".bias");
}

}  // namespace

std::vector<SgdGroup> sgd_groups(
    const ParameterStore& store,
    const SgdOptions& options,
    RateOf rate,
    const std::function<bool(const std::string& name)>& wanted) {
  SgdGroup decayed{{}, options.weight_decay, rate};
  SgdGroup others{{}, 0, rate};
  for (const ParameterStore::Entry& entry : store.entries()) {
    const std::string& name = entry.spec.name;
    if (entry.spec.role == Role::kParameter && wanted(name)) {
      (is_decayed(store, name, options) ? decayed : others)
          .parameters.push_back(entry.tensor);
    }
  }
  return {std::move(decayed), std::move(others)};
}

Sgd::Sgd(std::vector<SgdGroup> groups, const SgdOptions& options)
    : options_(options) {
  const at::NoGradGuard no_grad;
  for (SgdGroup& group : groups) {
    Group own{std::move(group), {}};
    for (const at::Tensor& parameter : own.of.parameters) {
      own.momenta.push_back(at::zeros_like(parameter));
    }
    groups_.push_back(std::move(own));
  }
}

void Sgd::step(const StepRates& rates) {
  const at::NoGradGuard no_grad;
  for (Group& group : groups_) {
    step_group(
        group, group.of.rate == RateOf::kTrunk ? rates.trunk : rates.head);
  }
}

void Sgd::step_group(Group& group, double rate) const {
  std::vector<at::Tensor> parameters;
  std::vector<at::Tensor> gradients;
  std::vector<at::Tensor> momenta;
  for (std::size_t i = 0; i < group.momenta.size(); ++i) {
    const at::Tensor& parameter = group.of.parameters[i];
    if (parameter.grad().defined()) {
      parameters.push_back(parameter);
      gradients.push_back(parameter.grad());
      momenta.push_back(group.momenta[i]);
      parameter.mutable_grad().reset();
    }
  }
  if (parameters.empty()) {
    return;
  }
  if (group.of.weight_decay > 0) {
    at::_foreach_add_(gradients, parameters, group.of.weight_decay);
  }
  at::_foreach_mul_(momenta, options_.momentum);
  at::_foreach_add_(momenta, gradients, 1);
  if (options_.nesterov) {
    at::_foreach_add_(gradients, momenta, options_.momentum);
    at::_foreach_add_(parameters, gradients, -rate);
  } else {
    at::_foreach_add_(parameters, momenta, -rate);
  }
}

}  // namespace swavd::trainer
