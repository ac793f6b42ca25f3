#include "trainer/torch/swav_model.h"

#include <utility>

#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

#include "trainer/nn/autocast.h"

namespace swavd::trainer {

namespace {

std::vector<TensorSpec> model_specs(
    const TrunkDesign& design,
    const HeadOptions& options) {
  std::vector<TensorSpec> specs = trunk_specs(design);
  for (TensorSpec& spec : head_specs(design.features(), options)) {
    specs.push_back(std::move(spec));
  }
  return specs;
}

std::vector<at::Tensor> prototype_sets(
    const ParameterStore& store,
    std::size_t sets) {
  std::vector<at::Tensor> prototypes;
  for (std::size_t set = 0; set < sets; ++set) {
    prototypes.push_back(store.at(prototypes_name(set, sets)));
  }
  return prototypes;
}

}  // namespace

SwavModel::SwavModel(
    const TrunkDesign& design,
    const HeadOptions& options,
    at::Device device)
    : store(model_specs(design, options), device),
      trunk(store, design),
      head(store, options),
      prototypes(prototype_sets(store, options.prototypes.size())) {}

SwavModel::Output SwavModel::forward(
    const std::vector<at::Tensor>& passes,
    Precision precision) const {
  at::Tensor projected;
  {
    const AutocastGuard autocast(precision, prototypes.front().device().type());
    std::vector<at::Tensor> features;
    features.reserve(passes.size());
    for (const at::Tensor& crops : passes) {
      features.push_back(trunk.forward(crops, Mode::kTrain));
    }
    projected = head.forward(at::cat(features), Mode::kTrain);
  }
  // Scores are divided by small temperatures, so they stay in float32.
  Output output{normalise_rows(projected.to(at::kFloat)), {}};
  for (const at::Tensor& set : prototypes) {
    output.scores.push_back(at::linear(output.embeddings, set));
  }
  return output;
}

void SwavModel::normalise_prototypes() {
  const at::NoGradGuard no_grad;
  for (const at::Tensor& set : prototypes) {
    set.copy_(normalise_rows(set));
  }
}

void SwavModel::count_batches(std::int64_t trunk_passes) {
  for (const ParameterStore::Entry& entry : store.entries()) {
    if (entry.spec.role == Role::kCounter) {
      *entry.tensor.mutable_data_ptr<std::int64_t>() +=
          is_head_tensor(entry.spec.name) ? 1 : trunk_passes;
    }
  }
}

StepRollback::StepRollback(const SwavModel& model)
    : live_(model.store.of_role(Role::kStatistic)) {
  const at::NoGradGuard no_grad;
  live_.insert(live_.end(), model.prototypes.begin(), model.prototypes.end());
  saved_.reserve(live_.size());
  for (const at::Tensor& tensor : live_) {
    saved_.push_back(tensor.detach().clone());
  }
}

StepRollback::~StepRollback() {
  if (kept_) {
    return;
  }
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < live_.size(); ++i) {
    live_[i].copy_(saved_[i]);
  }
}

}  // namespace swavd::trainer
