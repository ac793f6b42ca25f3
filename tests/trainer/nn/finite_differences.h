#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

namespace swavd::trainer {

// How operators that exist in float32 only are differentiated: their outputs
// are summed in float64, so what is left of the rounding is that of single
// outputs, and the four-point formula lets the steps be large beside it.

/// Half the distance between the outer points, in units of the direction.
inline constexpr double kDifferenceReach = 1.0 / 16;

/// Derivative of `f` along `direction` at the present values of `variable`,
/// which are changed meanwhile and put back. The formula's own error is of
/// fourth order in the step.
[[nodiscard]] inline double derivative_along(
    const std::function<double()>& f,
    const at::Tensor& variable,
    const at::Tensor& direction) {
  const at::NoGradGuard no_grad;
  const at::Tensor live = variable.detach();  // the same memory
  const at::Tensor start = live.clone();
  const double step = kDifferenceReach / 2;
  const auto at_distance = [&](double distance) {
    live.copy_(start.to(at::kDouble) + distance * direction.to(at::kDouble));
    return f();
  };
  const double near = at_distance(step) - at_distance(-step);
  const double far = at_distance(2 * step) - at_distance(-2 * step);
  live.copy_(start);
  return (8 * near - far) / (12 * step);
}

/// Expects each element of `gradient` to be the derivative of `f` by that
/// element of `variable`, to a thousandth of the largest one.
inline void expect_gradient(
    const std::function<double()>& f,
    const at::Tensor& variable,
    const at::Tensor& gradient,
    const std::string& what) {
  ASSERT_TRUE(gradient.defined()) << what;
  const double tolerance = 1e-3 * gradient.abs().max().item<double>();
  ASSERT_GT(tolerance, 0) << what;
  const at::Tensor flat = gradient.contiguous().flatten();
  const auto* values = flat.const_data_ptr<float>();
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    // In C order, whatever the layout of `variable`.
    const at::Tensor direction = at::zeros(flat.sizes());
    direction.mutable_data_ptr<float>()[i] = 1.0F;
    EXPECT_NEAR(
        derivative_along(f, variable, direction.view(gradient.sizes())),
        values[i],
        tolerance)
        << what << " " << i;
  }
}

/// Expects the derivative along `direction` to be that which the gradient
/// gives, to a thousandth of the root sum of squares of its terms (for a
/// random direction their sum is about as large).
inline void expect_derivative(
    const std::function<double()>& f,
    const at::Tensor& variable,
    const at::Tensor& gradient,
    const at::Tensor& direction,
    const std::string& what) {
  ASSERT_TRUE(gradient.defined()) << what;
  const at::Tensor terms = gradient.to(at::kDouble) * direction.to(at::kDouble);
  const double scale = std::sqrt(terms.square().sum().item<double>());
  ASSERT_GT(scale, 0) << what;
  EXPECT_NEAR(
      derivative_along(f, variable, direction),
      terms.sum().item<double>(),
      1e-3 * scale)
      << what;
}

}  // namespace swavd::trainer
