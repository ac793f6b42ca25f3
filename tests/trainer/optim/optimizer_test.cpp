#include "trainer/optim/optimizer.h"

#include <cmath>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/trainer/device/all_devices.h"
#include "trainer/torch/tensor_device.h"

namespace swavd::trainer {
namespace {

constexpr double kRate = 0.5;

void expect_values(const at::Tensor& actual, std::vector<double> expected) {
  ASSERT_EQ(actual.numel(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = actual[static_cast<std::int64_t>(i)].item<double>();
    EXPECT_NEAR(value, expected[i], 2.5e-7) << "element " << i;
  }
}

OptimizerOptions options_of(OptimizerKind kind) {
  return {0.9, 0.01, 0.001, kind};
}

OptimizerOptions larc_options() {
  return options_of(OptimizerKind::kLarc);
}

void step(Optimizer& optimizer) {
  optimizer.apply(optimizer.prepare(), kRate);
}

class Optimizers : public AllDevices {
 protected:
  [[nodiscard]] at::Device place() const { return tensor_device(link().get()); }

  at::Tensor vector_of(std::vector<double> values) {
    return at::tensor(values, at::kFloat).to(place());
  }

  at::Tensor parameter_of(std::vector<double> values) {
    at::Tensor parameter = vector_of(std::move(values));
    parameter.requires_grad_(true);
    return parameter;
  }

  void set_gradient(const at::Tensor& parameter, std::vector<double> values) {
    parameter.mutable_grad() = vector_of(std::move(values));
  }

  at::Tensor matrix_of(std::vector<double> values) {
    return vector_of(std::move(values)).view({1, 2}).requires_grad_(true);
  }

  /// Two steps from p with the gradients [.6, -.8] and [.1, .2].
  void take_two_steps(Optimizer& optimizer, const at::Tensor& p) {
    for (const auto& gradient : {at::tensor({.6, -.8}), at::tensor({.1, .2})}) {
      p.mutable_grad() = gradient.to(place(), at::kFloat).view_as(p);
      step(optimizer);
    }
  }
};

using Larc = Optimizers;
using Lars = Optimizers;
using Sgds = Optimizers;

// Reference values computed independently in float64.
TEST_P(Larc, TakesTheReferenceSteps) {
  const at::Tensor p = parameter_of({3, 4});
  Optimizer larc({p}, larc_options(), link());
  set_gradient(p, {.6, -.8});
  step(larc);
  expect_values(larc.momenta()[0], {.002999999971, -.003619047585});
  expect_values(p, {2.998500000014, 4.001809523792});
  set_gradient(p, {.1, .2});
  step(larc);
  expect_values(larc.momenta()[0], {.005075610559, .001129436606});
  expect_values(p, {2.995962194735, 4.001244805489});
}

TEST_P(Larc, AZeroParameterTakesItsFirstStepUnscaled) {
  const at::Tensor p = parameter_of({0, 0});
  Optimizer larc({p}, larc_options(), link());
  set_gradient(p, {.6, -.8});
  step(larc);
  expect_values(larc.momenta()[0], {.6, -.8});
  expect_values(p, {-.3, .4});
  set_gradient(p, {.1, .2});
  step(larc);
  expect_values(larc.momenta()[0], {.540212154662, -.719553819063});
  expect_values(p, {-.570106077331, .759776909531});
}

TEST_P(Larc, AZeroGradientMeansNoDecayButMomentumGoesOn) {
  const at::Tensor p = parameter_of({3, 4});
  Optimizer larc({p}, larc_options(), link());
  set_gradient(p, {0, 0});
  step(larc);
  expect_values(p, {3, 4});
}

TEST_P(Optimizers, AParameterWithoutGradientIsLeftAlone) {
  const at::Tensor moving = parameter_of({3, 4});
  const at::Tensor frozen = parameter_of({1, 2});
  Optimizer larc({frozen, moving}, larc_options(), link());
  set_gradient(frozen, {.5, .5});
  set_gradient(moving, {.6, -.8});
  step(larc);
  const at::Tensor before = frozen.detach().clone();
  const at::Tensor momentum = larc.momenta()[0].clone();
  frozen.mutable_grad().reset();
  step(larc);
  EXPECT_TRUE(frozen.detach().equal(before));
  EXPECT_TRUE(larc.momenta()[0].equal(momentum));
}

TEST_P(Larc, TensorsAreScaledEachByItsOwnNorms) {
  // Together and apart, two tensors take the same steps.
  const at::Tensor a = parameter_of({3, 4});
  const at::Tensor b = parameter_of({10, 0, -5});
  const at::Tensor alone = parameter_of({10, 0, -5});
  Optimizer both({a, b}, larc_options(), link());
  Optimizer one({alone}, larc_options(), link());
  set_gradient(a, {.6, -.8});
  set_gradient(b, {1, 2, 3});
  set_gradient(alone, {1, 2, 3});
  step(both);
  step(one);
  EXPECT_TRUE(b.detach().equal(alone.detach()));
}

TEST_P(Larc, GivesPercentilesOfTheFactorsOfTheTensorsItAdapted) {
  std::vector<at::Tensor> parameters = {parameter_of({0, 0})};
  set_gradient(parameters.back(), {1, 0});
  for (int length = 1; length <= 11; ++length) {
    parameters.push_back(parameter_of({0, static_cast<double>(length)}));
    set_gradient(parameters.back(), {1, 0});
  }
  OptimizerOptions options = larc_options();
  options.weight_decay = 0;
  const Optimizer larc(parameters, options, link());
  expect_values(larc.prepare().trust_ratios, {.002, .006, .010});
}

TEST_P(Larc, HasNoPercentilesWhereNothingIsAdapted) {
  const at::Tensor p = parameter_of({0, 0});
  set_gradient(p, {1, 0});
  const Optimizer larc({p}, larc_options(), link());
  const at::Tensor ratios = larc.prepare().trust_ratios;
  ASSERT_EQ(ratios.numel(), 3);
  EXPECT_TRUE(std::isnan(ratios[0].item<double>()));
}

TEST_P(Sgds, TakesPyTorchsStepsWithCoupledDecay) {
  const at::Tensor p = parameter_of({3, 4});
  Optimizer sgd({p}, options_of(OptimizerKind::kSgd), link());
  take_two_steps(sgd, p);
  expect_values(sgd.momenta()[0], {.69385, -.4402});
  expect_values(p, {2.338075, 4.6001});
  EXPECT_FALSE(sgd.prepare().trust_ratios.defined());
}

// Of torch.optim.SGD: d = g + .01 p; v = .9 v + d; p -= .5 (d + .9 v).
TEST_P(Sgds, LookAheadWithNesterov) {
  const at::Tensor p = parameter_of({3, 4});
  Optimizer sgd(
      {p},
      options_of(OptimizerKind::kSgd),
      /*link=*/nullptr,
      Momentum::kNesterov);
  take_two_steps(sgd, p);
  expect_values(sgd.momenta()[0], {.691015, -.43678});
  expect_values(p, {2.02853575, 4.794941});
}

TEST_P(Sgds, WithoutDecayAreTheGradientAlone) {
  const at::Tensor p = parameter_of({3, 4});
  OptimizerOptions options = options_of(OptimizerKind::kSgd);
  options.weight_decay = 0;
  Optimizer sgd({p}, options, link());
  set_gradient(p, {.6, -.8});
  step(sgd);
  expect_values(p, {2.7, 4.4});
}

TEST_P(Lars, ScalesAMatrixByTheLengthOfItsDecayedGradient) {
  const at::Tensor p = matrix_of({3, 4});
  Optimizer lars({p}, options_of(OptimizerKind::kLars), link());
  take_two_steps(lars, p);
  expect_values(lars.momenta()[0].flatten(), {.005253172355, .000932717827});
  expect_values(p.flatten(), {2.995777940171, 4.001458339460});
}

TEST_P(Lars, AZeroMatrixTakesItsFirstStepUnscaled) {
  const at::Tensor p = matrix_of({0, 0});
  Optimizer lars({p}, options_of(OptimizerKind::kLars), link());
  take_two_steps(lars, p);
  expect_values(lars.momenta()[0].flatten(), {.540214708991, -.719548447070});
  expect_values(p.flatten(), {-.570107354496, .759774223535});
}

TEST_P(Lars, LeavesBiasesAndNormalisationsToPlainMomentum) {
  const at::Tensor bias = parameter_of({3, 4});
  const at::Tensor matrix = matrix_of({3, 4});
  Optimizer lars({bias, matrix}, options_of(OptimizerKind::kLars), link());
  matrix.mutable_grad() = vector_of({.6, -.8}).view({1, 2});
  set_gradient(bias, {.6, -.8});
  const Optimizer::Update update = lars.prepare();
  // Of the matrix alone; the bias's 1 would be the ninetieth percentile.
  expect_values(
      update.trust_ratios, {.005064995719, .005064995719, .005064995719});
  lars.apply(update, kRate);
  expect_values(bias, {2.7, 4.4});
  expect_values(matrix.flatten(), {2.998404526349, 4.001924698373});
}

TEST_P(Optimizers, AnUpdateThatIsDroppedChangesNothing) {
  for (const OptimizerKind kind :
       {OptimizerKind::kLarc, OptimizerKind::kSgd, OptimizerKind::kLars}) {
    const at::Tensor p = matrix_of({3, 4});
    Optimizer optimizer({p}, options_of(kind), link());
    p.mutable_grad() = vector_of({.6, -.8}).view({1, 2});
    static_cast<void>(optimizer.prepare());
    expect_values(p.flatten(), {3, 4});
    expect_values(optimizer.momenta()[0].flatten(), {0, 0});
  }
}

SWAVD_ON_DEVICES(Optimizers, "cpu", "emulated", "cuda");
SWAVD_ON_DEVICES(Larc, "cpu", "emulated", "cuda");
SWAVD_ON_DEVICES(Lars, "cpu", "emulated", "cuda");
SWAVD_ON_DEVICES(Sgds, "cpu", "emulated", "cuda");

}  // namespace
}  // namespace swavd::trainer
