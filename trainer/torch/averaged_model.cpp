#include "trainer/torch/averaged_model.h"

#include <algorithm>

#include <ATen/ops/_foreach_copy.h>
#include <ATen/ops/_foreach_lerp.h>
#include <c10/core/GradMode.h>

#include "ops/base/check.h"

namespace swavd::trainer {

namespace {

std::vector<at::Tensor> averaged_tensors(const SwavModel& model) {
  std::vector<at::Tensor> tensors;
  for (const ParameterStore::Entry& entry : model.store.entries()) {
    if (entry.spec.role != Role::kCounter) {
      tensors.push_back(entry.tensor);
    }
  }
  return tensors;
}

}  // namespace

double ema_decay(double decay, std::uint64_t step) {
  constexpr double kWarmUp = 10;
  const auto t = static_cast<double>(step);
  return std::min(decay, (1 + t) / (kWarmUp + t));
}

AveragedModel::AveragedModel(
    const SwavModel& live,
    const TrunkDesign& design,
    const HeadOptions& head,
    double decay)
    : model_(design, head, live.prototypes.front().device()),
      decay_(decay),
      live_(averaged_tensors(live)),
      averages_(averaged_tensors(model_)) {
  SWAVD_CHECK(live_.size() == averages_.size());
}

void AveragedModel::start_over() {
  const at::NoGradGuard no_grad;
  at::_foreach_copy_(averages_, live_);
}

void AveragedModel::update(std::uint64_t step) noexcept {
  const at::NoGradGuard no_grad;
  at::_foreach_lerp_(averages_, live_, at::Scalar(1 - ema_decay(decay_, step)));
}

}  // namespace swavd::trainer
