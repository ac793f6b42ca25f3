#include "trainer/nn/squeeze_excitation.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "tests/trainer/nn/finite_differences.h"
#include "tests/trainer/nn/random_tensor.h"
#include "trainer/nn/autocast.h"

namespace swavd::trainer {
namespace {

constexpr std::int64_t kChannels = 12;
constexpr std::int64_t kSqueezed = 5;

ParameterStore excitation_store() {
  using enum Role;
  constexpr auto kInit = Init::kUniformFanIn;
  ParameterStore store(
      {{"se.attention.0.weight",
        {kSqueezed, kChannels, 1, 1},
        kParameter,
        kInit,
        kChannels},
       {"se.attention.0.bias", {kSqueezed}, kParameter, kInit, kChannels},
       {"se.attention.2.weight",
        {kChannels, kSqueezed, 1, 1},
        kParameter,
        kInit,
        kSqueezed},
       {"se.attention.2.bias", {kChannels}, kParameter, kInit, kSqueezed}});
  store.initialise(0);
  return store;
}

std::vector<std::pair<std::string, at::Tensor>> parameters_of(
    const SqueezeExcitation& layer) {
  return {
      {"squeeze weight", layer.squeeze_weight},
      {"squeeze bias", layer.squeeze_bias},
      {"excite weight", layer.excite_weight},
      {"excite bias", layer.excite_bias}};
}

/// A layer whose ReLU is on for some images and off for others in every unit,
/// and nowhere near its kink.
struct ExcitationRig {
  ParameterStore store = excitation_store();
  SqueezeExcitation layer{store, "se"};
  at::Tensor x;
  at::Tensor weights;  ///< of the outputs in the sum that is derived; float64

  explicit ExcitationRig(at::IntArrayRef shape)
      : x(random_tensor(shape, "x")),
        weights(random_tensor(shape, "direction").to(at::kDouble)) {
    const at::NoGradGuard no_grad;
    // Each unit sums some channels and little else; every other image lies
    // above zero, the rest below.
    layer.squeeze_weight.mul_(0.3);
    for (std::int64_t c = 0; c < kChannels; ++c) {
      layer.squeeze_weight.select(0, c % kSqueezed).select(0, c).add_(0.5);
    }
    for (std::int64_t image = 0; image < shape[0]; ++image) {
      x.select(0, image).add_(image % 2 == 0 ? 3.0 : -3.0);
    }
    x.requires_grad_(true);
    check_kinks();
  }

  [[nodiscard]] double value() const {
    return (layer.forward(x).to(at::kDouble) * weights).sum().item<double>();
  }

  void backward() const {
    (layer.forward(x) * weights.to(at::kFloat)).sum().backward();
  }

 private:
  void check_kinks() const {
    constexpr double kMargin = 5 * kDifferenceReach;  // means are below 5
    const at::Tensor squeezed = at::linear(
        at::mean(x, {2, 3}),
        layer.squeeze_weight.flatten(1),
        layer.squeeze_bias);
    ASSERT_GT(squeezed.abs().min().item<double>(), kMargin);
    ASSERT_TRUE(squeezed.select(0, 0).gt(0).all().item<bool>());
    ASSERT_TRUE(squeezed.select(0, 1).lt(0).all().item<bool>());
    ASSERT_LT(at::mean(x, {2, 3}).abs().max().item<double>(), 5);
  }
};

TEST(SqueezeExcitation, GradientIsThatOfFiniteDifferencesInEveryElement) {
  const ExcitationRig rig({3, kChannels, 2, 3});
  rig.backward();
  const std::function<double()> f = [&] { return rig.value(); };
  expect_gradient(f, rig.x, rig.x.grad(), "input");
  for (const auto& [name, parameter] : parameters_of(rig.layer)) {
    expect_gradient(f, parameter, parameter.grad(), name);
  }
}

TEST(SqueezeExcitation, GradientIsThatOfFiniteDifferencesOnLargerMaps) {
  const std::vector<std::int64_t> shape = {4, kChannels, 17, 13};
  const ExcitationRig rig(shape);
  rig.backward();
  const std::function<double()> f = [&] { return rig.value(); };
  expect_derivative(
      f, rig.x, rig.x.grad(), random_tensor(shape, "moves"), "input");
  for (const auto& [name, parameter] : parameters_of(rig.layer)) {
    expect_derivative(
        f,
        parameter,
        parameter.grad(),
        random_tensor(parameter.sizes(), "moves").mul_(0.1),
        name);
  }
}

// In float64 the layer is made of PyTorch's own operators.
TEST(SqueezeExcitation, ForwardAndBackwardAreThoseOfPyTorchInDouble) {
  const ExcitationRig rig({5, kChannels, 4, 3});
  const auto doubled = [](const at::Tensor& tensor) {
    return tensor.detach().to(at::kDouble).requires_grad_(true);
  };
  SqueezeExcitation reference = rig.layer;
  reference.squeeze_weight = doubled(rig.layer.squeeze_weight);
  reference.squeeze_bias = doubled(rig.layer.squeeze_bias);
  reference.excite_weight = doubled(rig.layer.excite_weight);
  reference.excite_bias = doubled(rig.layer.excite_bias);
  const at::Tensor x = doubled(rig.x);
  const at::Tensor expected = reference.forward(x);
  (expected * rig.weights).sum().backward();
  rig.backward();

  const auto expect_close = [](const at::Tensor& ours,
                               const at::Tensor& theirs,
                               const std::string& what) {
    const double scale = theirs.abs().max().item<double>();
    EXPECT_LE((ours - theirs).abs().max().item<double>(), 2e-6 * scale) << what;
  };
  expect_close(rig.layer.forward(rig.x).detach(), expected.detach(), "output");
  expect_close(rig.x.grad(), x.grad(), "input");
  const auto ours = parameters_of(rig.layer);
  const auto theirs = parameters_of(reference);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    expect_close(ours[i].second.grad(), theirs[i].second.grad(), ours[i].first);
  }
}

// Autocast reaches neither the pooled values nor the weights: only what has the
// size of a map is bfloat16.
TEST(SqueezeExcitation, OfBfloat16IsThatOfFloat32RoundedUnderAutocastToo) {
  const ExcitationRig full({5, kChannels, 7, 6});
  const ExcitationRig half({5, kChannels, 7, 6});
  const at::Tensor x = full.x.detach().to(at::kBFloat16);
  const at::Tensor narrow = x.clone().requires_grad_(true);
  const at::Tensor wide = x.to(at::kFloat).requires_grad_(true);
  const at::Tensor slope = random_tensor(x.sizes(), "slope").to(at::kBFloat16);
  at::Tensor actual;
  {
    const AutocastGuard autocast(Precision::kBfloat16, at::kCPU);
    actual = half.layer.forward(narrow);
  }
  const at::Tensor expected = full.layer.forward(wide);
  ASSERT_EQ(actual.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(actual.equal(expected.to(at::kBFloat16)));
  actual.backward(slope);
  expected.backward(slope.to(at::kFloat));
  EXPECT_TRUE(narrow.grad().equal(wide.grad().to(at::kBFloat16)));
  const auto ours = parameters_of(half.layer);
  const auto theirs = parameters_of(full.layer);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(ours[i].second.grad().equal(theirs[i].second.grad()))
        << ours[i].first;
  }
}

}  // namespace
}  // namespace swavd::trainer
