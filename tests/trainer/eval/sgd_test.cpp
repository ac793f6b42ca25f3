#include "trainer/eval/sgd.h"

#include <vector>

#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/eval/linear_probe.h"

namespace swavd::trainer {
namespace {

/// A parameter after each of two steps with gradients [.5, .25] and [.1, .2],
/// rate .1 and weight decay .01, from [1, -2].
std::vector<at::Tensor> two_steps(const SgdOptions& options, RateOf rate) {
  const at::Tensor parameter = at::tensor({1.0, -2.0}, at::dtype(at::kDouble));
  Sgd sgd({{{parameter}, options.weight_decay, rate}}, options);
  const StepRates rates =
      rate == RateOf::kHead ? StepRates{100, 0.1} : StepRates{0.1, 100};
  std::vector<at::Tensor> values;
  for (const std::vector<double>& gradient :
       {std::vector<double>{0.5, 0.25}, std::vector<double>{0.1, 0.2}}) {
    parameter.mutable_grad() = at::tensor(gradient, at::dtype(at::kDouble));
    sgd.step(rates);
    EXPECT_FALSE(parameter.grad().defined());
    values.push_back(parameter.clone());
  }
  return values;
}

void expect_doubles(const at::Tensor& got, std::vector<double> wanted) {
  EXPECT_TRUE(
      got.allclose(at::tensor(wanted, at::dtype(at::kDouble)), 0, 1e-12))
      << got;
}

TEST(SgdStep, FollowsTheFormulaWithoutNesterov) {
  const auto values = two_steps({0.9, 0.01, false}, RateOf::kHead);
  expect_doubles(values[0], {0.949, -2.023});
  expect_doubles(values[1], {0.892151, -2.061677});
}

TEST(SgdStep, FollowsTheFormulaWithNesterov) {
  const auto values = two_steps({0.9, 0.01, true}, RateOf::kTrunk);
  expect_doubles(values[0], {0.9031, -2.0437});
  expect_doubles(values[1], {0.84107411, -2.09644697});
}

TEST(SgdStep, LeavesAParameterWithoutGradientAlone) {
  const at::Tensor parameter = at::tensor({1.0, -2.0}, at::dtype(at::kDouble));
  Sgd sgd({{{parameter}, 0.1, RateOf::kHead}}, {0.9, 0.1, false});
  sgd.step({1, 1});
  expect_doubles(parameter, {1, -2});
}

/// How many tensors are decayed and how many are not.
std::pair<std::size_t, std::size_t> split(const SgdOptions& options) {
  auto specs = linear_specs("layer", 3, 2);
  for (TensorSpec& spec : norm_specs("norm", 3)) {
    specs.push_back(std::move(spec));
  }
  const ParameterStore store(std::move(specs));
  const auto groups = sgd_groups(
      store, options, RateOf::kHead, [](const std::string&) { return true; });
  EXPECT_EQ(groups[0].weight_decay, options.weight_decay);
  EXPECT_EQ(groups[1].weight_decay, 0);
  return {groups[0].parameters.size(), groups[1].parameters.size()};
}

TEST(SgdGroups, TellNormsAndBiasesFromWeights) {
  const auto decays = [](bool norms, bool biases) {
    return split({0.9, 0.1, false, norms, biases});
  };
  EXPECT_EQ(decays(true, true), std::pair(std::size_t{4}, std::size_t{0}));
  EXPECT_EQ(decays(false, true), std::pair(std::size_t{2}, std::size_t{2}));
  EXPECT_EQ(decays(true, false), std::pair(std::size_t{3}, std::size_t{1}));
  EXPECT_EQ(decays(false, false), std::pair(std::size_t{1}, std::size_t{3}));
}

}  // namespace
}  // namespace swavd::trainer
