#include "trainer/eval/grouped_sgd.h"

#include <algorithm>
#include <utility>

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

void GroupedSgd::add(
    const ParameterStore& store,
    RateOf rate,
    const std::function<bool(const std::string& name)>& wanted) {
  std::vector<at::Tensor> decayed;
  std::vector<at::Tensor> others;
  for (const ParameterStore::Entry& entry : store.entries()) {
    const std::string& name = entry.spec.name;
    if (entry.spec.role == Role::kParameter && wanted(name)) {
      (is_decayed(store, name, options_) ? decayed : others)
          .push_back(entry.tensor);
    }
  }
  add_group(std::move(decayed), options_.weight_decay, rate);
  add_group(std::move(others), 0, rate);
}

void GroupedSgd::add_group(
    std::vector<at::Tensor> parameters,
    double weight_decay,
    RateOf rate) {
  OptimizerOptions sgd;
  sgd.kind = OptimizerKind::kSgd;
  sgd.momentum = options_.momentum;
  sgd.weight_decay = weight_decay;
  Optimizer optimizer(
      parameters,
      sgd,
      /*link=*/nullptr,  // PyTorch's operators do on any device
      options_.nesterov ? Momentum::kNesterov : Momentum::kPlain);
  groups_.push_back({std::move(parameters), std::move(optimizer), rate});
}

void GroupedSgd::step(const StepRates& rates) {
  for (Group& group : groups_) {
    group.optimizer.apply(
        group.optimizer.prepare(),
        group.rate == RateOf::kTrunk ? rates.trunk : rates.head);
    for (const at::Tensor& parameter : group.parameters) {
      parameter.mutable_grad().reset();
    }
  }
}

}  // namespace swavd::trainer
