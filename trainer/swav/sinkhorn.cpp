#include "trainer/swav/sinkhorn.h"

#include <limits>

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

namespace {

/// Mass that every entry gets when a prototype has none left at all: it would
/// have to be divided by zero.
constexpr double kRescueMass = 1e-12;

/// Gives every prototype (column) the same mass.
void balance_prototypes(at::Tensor& plan) {
  const auto samples = static_cast<double>(plan.size(0));
  const auto prototypes = static_cast<double>(plan.size(1));
  at::Tensor mass = plan.sum(0);
  // Without a branch, so that no device has to answer a question midway.
  const at::Tensor rescue =
      mass.eq(0).any().to(plan.scalar_type()).mul_(kRescueMass);
  mass = (mass + rescue * samples).mul_(prototypes);
  plan.add_(rescue).div_(mass);
}

/// Gives every sample (row) the same mass, `total` altogether.
void balance_samples(at::Tensor& plan, double total) {
  const auto samples = static_cast<double>(plan.size(0));
  // A row far below the greatest score may have underflowed to zero.
  constexpr double kLeastMass = std::numeric_limits<float>::min();
  plan.div_(plan.sum(1, /*keepdim=*/true)
                .clamp_min_(kLeastMass)
                .mul_(samples / total));
}

}  // namespace

at::Tensor sinkhorn(const at::Tensor& scores, const SinkhornOptions& options) {
  const at::NoGradGuard no_grad;
  const at::Tensor scaled = scores / options.epsilon;
  // After the shift the greatest entry is exp(0), so nothing overflows.
  at::Tensor plan = (scaled - scaled.max()).exp_();
  plan.div_(plan.sum());
  for (std::int32_t i = 0; i < options.iterations; ++i) {
    balance_prototypes(plan);
    balance_samples(plan, 1.0);
  }
  balance_samples(plan, static_cast<double>(plan.size(0)));
  return plan;
}

}  // namespace swavd::trainer
