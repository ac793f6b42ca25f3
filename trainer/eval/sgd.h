#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/classifier.h"
#include "trainer/nn/parameter_store.h"

namespace swavd::trainer {

/// Whose rate of `StepRates` a group learns at.
enum class RateOf { kTrunk, kHead };

/// Parameters that are treated alike.
struct SgdGroup {
  std::vector<at::Tensor> parameters;
  double weight_decay = 0;
  RateOf rate = RateOf::kHead;
};

/// The store's parameters whose names `wanted` accepts, by whether they are
/// decayed. What belongs to a BatchNorm is told by the running mean beside it.
[[nodiscard]] std::vector<SgdGroup> sgd_groups(
    const ParameterStore& store,
    const SgdOptions& options,
    RateOf rate,
    const std::function<bool(const std::string& name)>& wanted);

/// PyTorch's SGD: g += decay * p; v = momentum * v + g; p -= rate * v, or with
/// Nesterov p -= rate * (g + momentum * v).
class Sgd {
 public:
  Sgd(std::vector<SgdGroup> groups, const SgdOptions& options);

  /// One update of the parameters that have a gradient; forgets the gradients.
  void step(const StepRates& rates);

 private:
  struct Group {
    SgdGroup of;
    std::vector<at::Tensor> momenta;
  };

  void step_group(Group& group, double rate) const;

  std::vector<Group> groups_;
  SgdOptions options_;
};

}  // namespace swavd::trainer
