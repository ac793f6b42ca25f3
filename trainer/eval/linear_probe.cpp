#include "trainer/eval/linear_probe.h"

#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/stack.h>

namespace swavd::trainer {

namespace {

/// kNormalFanOut draws N(0, sqrt(2 / fan)): this fan gives N(0, .01).
constexpr std::int64_t kFanOfHundredth = 20'000;

}  // namespace

std::vector<TensorSpec> linear_specs(
    const std::string& name,
    std::int64_t inputs,
    std::int64_t outputs) {
  return {
      {name + ".weight",
       {outputs, inputs},
       Role::kParameter,
       Init::kNormalFanOut,
       kFanOfHundredth},
      {name + ".bias", {outputs}, Role::kParameter, Init::kZeros, 1}};
}

std::vector<TensorSpec> norm_specs(
    const std::string& name,
    std::int64_t channels) {
  const std::vector<std::int64_t> shape = {channels};
  return {
      {name + ".weight", shape, Role::kParameter, Init::kOnes, 1},
      {name + ".bias", shape, Role::kParameter, Init::kZeros, 1},
      {name + ".running_mean", shape, Role::kStatistic, Init::kZeros, 1},
      {name + ".running_var", shape, Role::kStatistic, Init::kOnes, 1}};
}

std::vector<TensorSpec> probe_specs(
    const ProbeSpec& probe,
    std::int64_t classes) {
  auto specs = linear_specs(probe.name, probe.features(), classes);
  if (probe.norm) {
    for (TensorSpec& spec : norm_specs(probe.name + ".norm", probe.channels)) {
      specs.push_back(std::move(spec));
    }
  }
  return specs;
}

LinearProbe::LinearProbe(const ParameterStore& store, const ProbeSpec& probe)
    : input(probe.input),
      weight(store.at(probe.name + ".weight")),
      bias(store.at(probe.name + ".bias")) {
  if (probe.norm) {
    norm.emplace(store, probe.name + ".norm");
  }
}

at::Tensor LinearProbe::forward(const at::Tensor& map, Mode mode) const {
  const at::Tensor x = norm ? norm->forward(map, mode) : map;
  return at::linear(x.flatten(1), weight, bias);
}

at::Tensor probe_loss(
    const std::vector<LinearProbe>& probes,
    const std::vector<at::Tensor>& maps,
    const at::Tensor& labels) {
  std::vector<at::Tensor> losses;
  losses.reserve(probes.size());
  for (const LinearProbe& probe : probes) {
    losses.push_back(at::cross_entropy_loss(
        probe.forward(maps[probe.input], Mode::kTrain), labels));
  }
  return at::stack(losses).sum();
}

}  // namespace swavd::trainer
