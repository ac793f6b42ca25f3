#include "trainer/nn/batch_norm.h"

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/relu.h>
#include <gtest/gtest.h>

#include "tests/trainer/nn/random_tensor.h"

namespace swavd::trainer {
namespace {

ParameterStore norm_store(std::int64_t channels) {
  using enum Role;
  ParameterStore store(
      {{"n.weight", {channels}, kParameter, Init::kOnes, 1},
       {"n.bias", {channels}, kParameter, Init::kZeros, 1},
       {"n.running_mean", {channels}, kStatistic, Init::kZeros, 1},
       {"n.running_var", {channels}, kStatistic, Init::kOnes, 1}});
  store.initialise(0);
  at::Tensor weight = store.at("n.weight").detach();
  weight.add_(random_tensor({channels}, "weight"), 0.3);
  at::Tensor bias = store.at("n.bias").detach();
  bias.add_(random_tensor({channels}, "bias"), 0.3);
  return store;
}

/// What PyTorch's own operators make of the same layer, in float64.
struct NormReference {
  at::Tensor weight;
  at::Tensor bias;
  at::Tensor running_mean;
  at::Tensor running_var;

  explicit NormReference(const BatchNorm& norm)
      : weight(norm.weight.detach().to(at::kDouble).requires_grad_(true)),
        bias(norm.bias.detach().to(at::kDouble).requires_grad_(true)),
        running_mean(norm.running_mean.to(at::kDouble)),
        running_var(norm.running_var.to(at::kDouble)) {}

  at::Tensor forward(const at::Tensor& x, bool training) const {
    return at::batch_norm(
        x, weight, bias, running_mean, running_var, training, 0.1, 1e-5, true);
  }
};

void expect_same(
    const at::Tensor& actual,
    const at::Tensor& expected,
    const char* what) {
  ASSERT_TRUE(actual.defined() && expected.defined()) << what;
  const double scale = expected.abs().max().item<double>();
  const double worst = (actual - expected).abs().max().item<double>();
  EXPECT_LE(worst, 2e-6 * scale + 1e-7) << what;
}

/// Channel counts around the width of a vector register, shapes with one row
/// and with many, and the two-dimensional case of the head.
const std::vector<std::vector<std::int64_t>> kShapes =
    {{5, 24, 3, 3}, {2, 1, 1, 1}, {4, 37, 2, 1}, {64, 56, 16, 16}, {7, 16}};

TEST(BatchNorm, ForwardBackwardAndStatisticsAgreeWithPyTorch) {
  for (const auto& shape : kShapes) {
    const ParameterStore store = norm_store(shape[1]);
    const BatchNorm norm(store, "n");
    const NormReference reference(norm);
    const at::Tensor x = random_tensor(shape, "x").mul_(3).add_(2);
    const at::Tensor ours = x.clone().requires_grad_(true);
    const at::Tensor theirs = x.to(at::kDouble).requires_grad_(true);
    const at::Tensor y = norm.forward_relu(ours, Mode::kTrain);
    const at::Tensor expected = at::relu(reference.forward(theirs, true));
    expect_same(y.detach(), expected.detach(), "output");
    const at::Tensor weights = random_tensor(shape, "direction");
    (y * weights).sum().backward();
    (expected * weights).sum().backward();
    expect_same(ours.grad(), theirs.grad(), "input gradient");
    expect_same(norm.weight.grad(), reference.weight.grad(), "weight gradient");
    expect_same(norm.bias.grad(), reference.bias.grad(), "bias gradient");
    expect_same(norm.running_mean, reference.running_mean, "running mean");
    expect_same(norm.running_var, reference.running_var, "running variance");
  }
}

TEST(BatchNorm, AResidualGetsTheGradientBehindTheReLU) {
  const ParameterStore store = norm_store(24);
  const BatchNorm norm(store, "n");
  const NormReference reference(norm);
  const std::vector<std::int64_t> shape = {5, 24, 3, 3};
  const at::Tensor x = random_tensor(shape, "x");
  const at::Tensor r = random_tensor(shape, "residual");
  const at::Tensor weights = random_tensor(shape, "direction");
  const at::Tensor our_x = x.clone().requires_grad_(true);
  const at::Tensor our_r = r.clone().requires_grad_(true);
  const at::Tensor x2 = x.to(at::kDouble).requires_grad_(true);
  const at::Tensor r2 = r.to(at::kDouble).requires_grad_(true);
  const at::Tensor y = norm.forward_add_relu(our_x, our_r, Mode::kTrain);
  const at::Tensor expected = at::relu(reference.forward(x2, true) + r2);
  expect_same(y.detach(), expected.detach(), "output");
  (y * weights).sum().backward();
  (expected * weights).sum().backward();
  expect_same(our_x.grad(), x2.grad(), "input gradient");
  expect_same(our_r.grad(), r2.grad(), "residual gradient");
  expect_same(norm.weight.grad(), reference.weight.grad(), "weight gradient");
}

TEST(BatchNorm, EvaluationUsesTheRunningStatisticsAndLeavesThemAlone) {
  const ParameterStore store = norm_store(24);
  const BatchNorm norm(store, "n");
  at::Tensor mean = norm.running_mean;
  mean.add_(0.5);
  const at::Tensor before = norm.running_mean.clone();
  const NormReference reference(norm);
  const at::Tensor x = random_tensor({5, 24, 3, 3}, "x");
  expect_same(
      norm.forward(x, Mode::kEval).detach(),
      reference.forward(x.to(at::kDouble), false).detach(),
      "output");
  EXPECT_TRUE(norm.running_mean.equal(before));
}

TEST(BatchNorm, RecomputingGivesTheSameBitsAndMovesNoStatistics) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const ParameterStore store = norm_store(24);
    const BatchNorm norm(store, "n");
    const at::Tensor x = random_tensor({5, 24, 3, 3}, "x").to(type);
    const at::Tensor r = random_tensor({5, 24, 3, 3}, "residual").to(type);
    const at::Tensor first = norm.forward_add_relu(x, r, Mode::kTrain);
    const at::Tensor mean = norm.running_mean.clone();
    const at::Tensor variance = norm.running_var.clone();
    const at::Tensor again = norm.forward_add_relu(x, r, Mode::kRecompute);
    EXPECT_TRUE(again.equal(first)) << type;
    EXPECT_TRUE(norm.running_mean.equal(mean)) << type;
    EXPECT_TRUE(norm.running_var.equal(variance)) << type;
  }
}

TEST(BatchNorm, AFarOffMeanCostsNoPrecision) {
  // A sum of squares would lose the variance of 1 beside the mean of 1000.
  const ParameterStore store = norm_store(24);
  const BatchNorm norm(store, "n");
  const at::Tensor x = random_tensor({64, 24, 8, 8}, "x").add_(1000);
  static_cast<void>(norm.forward(x, Mode::kTrain));
  const at::Tensor exact =
      0.9 + 0.1 * x.to(at::kDouble).var({0, 2, 3}, /*unbiased=*/true);
  const double worst =
      (norm.running_var.to(at::kDouble) - exact).abs().max().item<double>();
  EXPECT_LE(worst, 1e-5);
}

}  // namespace
}  // namespace swavd::trainer
