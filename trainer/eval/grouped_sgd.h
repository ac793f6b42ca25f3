#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/classifier.h"
#include "trainer/nn/parameter_store.h"
#include "trainer/optim/optimizer.h"

namespace swavd::trainer {

/// Whose rate of `StepRates` parameters learn at.
enum class RateOf { kTrunk, kHead };

/// SGD over parameters that differ in rate and decay.
class GroupedSgd {
 public:
  explicit GroupedSgd(const SgdOptions& options) : options_(options) {}

  /// Takes the store's parameters whose names `wanted` accepts. What belongs to
  /// a BatchNorm is told by the running mean beside it.
  void add(
      const ParameterStore& store,
      RateOf rate,
      const std::function<bool(const std::string& name)>& wanted);

  /// All of a store.
  void add(const ParameterStore& store, RateOf rate) {
    add(store, rate, [](const std::string&) { return true; });
  }

  /// One update of the parameters that have a gradient; forgets the gradients.
  void step(const StepRates& rates);

 private:
  struct Group {
    std::vector<at::Tensor> parameters;
    Optimizer optimizer;
    RateOf rate = RateOf::kHead;
  };

  void add_group(
      std::vector<at::Tensor> parameters,
      double weight_decay,
      RateOf rate);

  SgdOptions options_;
  std::vector<Group> groups_;
};

}  // namespace swavd::trainer
