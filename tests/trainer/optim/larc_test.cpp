#include "trainer/optim/larc.h"

#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

constexpr double kRate = 0.5;

at::Tensor vector_of(std::vector<double> values) {
  return at::tensor(values, at::kFloat);
}

at::Tensor parameter_of(std::vector<double> values) {
  at::Tensor parameter = vector_of(std::move(values));
  parameter.requires_grad_(true);
  return parameter;
}

void set_gradient(const at::Tensor& parameter, std::vector<double> values) {
  parameter.mutable_grad() = vector_of(std::move(values));
}

void expect_values(const at::Tensor& actual, std::vector<double> expected) {
  ASSERT_EQ(actual.numel(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = actual[static_cast<std::int64_t>(i)].item<double>();
    EXPECT_NEAR(value, expected[i], 2.5e-7) << "element " << i;
  }
}

LarcOptions larc_options() {
  return {0.9, 0.01, 0.001};
}

// Reference values computed independently in float64.
TEST(Larc, TakesTheReferenceSteps) {
  const at::Tensor p = parameter_of({3, 4});
  Larc larc({p}, larc_options());
  set_gradient(p, {.6, -.8});
  larc.step(kRate);
  expect_values(larc.momenta()[0], {.002999999971, -.003619047585});
  expect_values(p, {2.998500000014, 4.001809523792});
  set_gradient(p, {.1, .2});
  larc.step(kRate);
  expect_values(larc.momenta()[0], {.005075610559, .001129436606});
  expect_values(p, {2.995962194735, 4.001244805489});
}

TEST(Larc, AZeroParameterTakesItsFirstStepUnscaled) {
  const at::Tensor p = parameter_of({0, 0});
  Larc larc({p}, larc_options());
  set_gradient(p, {.6, -.8});
  larc.step(kRate);
  expect_values(larc.momenta()[0], {.6, -.8});
  expect_values(p, {-.3, .4});
  set_gradient(p, {.1, .2});
  larc.step(kRate);
  expect_values(larc.momenta()[0], {.540212154662, -.719553819063});
  expect_values(p, {-.570106077331, .759776909531});
}

TEST(Larc, AZeroGradientMeansNoDecayButMomentumGoesOn) {
  const at::Tensor p = parameter_of({3, 4});
  Larc larc({p}, larc_options());
  set_gradient(p, {0, 0});
  larc.step(kRate);
  expect_values(p, {3, 4});
}

TEST(Larc, AParameterWithoutGradientIsLeftAlone) {
  const at::Tensor moving = parameter_of({3, 4});
  const at::Tensor frozen = parameter_of({1, 2});
  Larc larc({frozen, moving}, larc_options());
  set_gradient(frozen, {.5, .5});
  set_gradient(moving, {.6, -.8});
  larc.step(kRate);
  const at::Tensor before = frozen.detach().clone();
  const at::Tensor momentum = larc.momenta()[0].clone();
  frozen.mutable_grad().reset();
  larc.step(kRate);
  EXPECT_TRUE(frozen.detach().equal(before));
  EXPECT_TRUE(larc.momenta()[0].equal(momentum));
}

TEST(Larc, TensorsAreScaledEachByItsOwnNorms) {
  // Together and apart, two tensors take the same steps.
  const at::Tensor a = parameter_of({3, 4});
  const at::Tensor b = parameter_of({10, 0, -5});
  const at::Tensor alone = parameter_of({10, 0, -5});
  Larc both({a, b}, larc_options());
  Larc one({alone}, larc_options());
  set_gradient(a, {.6, -.8});
  set_gradient(b, {1, 2, 3});
  set_gradient(alone, {1, 2, 3});
  both.step(kRate);
  one.step(kRate);
  EXPECT_TRUE(b.detach().equal(alone.detach()));
}

}  // namespace
}  // namespace swavd::trainer
