#include "trainer/nn/fused_norm.h"

#include <functional>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "tests/trainer/nn/finite_differences.h"
#include "tests/trainer/nn/random_tensor.h"

namespace swavd::trainer {
namespace {

struct FusedCase {
  std::string name;
  bool residual = false;
  bool relu = false;
};

void PrintTo(const FusedCase& variant, std::ostream* out) {
  *out << variant.name;
}

/// A fused BatchNorm and the function sum(weights * output) of it. Outputs that
/// the ReLU may cut while an input is moved have weight 0: f is smooth then.
struct FusedRig {
  FusedCase variant;
  at::Tensor x;
  std::optional<at::Tensor> residual;
  FusedNormTensors norm;
  at::Tensor weights;  ///< float64

  FusedRig(FusedCase variant_in, at::IntArrayRef shape)
      : variant(std::move(variant_in)),
        x(random_tensor(shape, "x").mul_(3).add_(2).requires_grad_(true)) {
    const std::int64_t channels = shape[1];
    norm.weight = random_tensor({channels}, "weight").mul_(.3).add_(1);
    norm.bias = random_tensor({channels}, "bias").mul_(.3);
    norm.running_mean = at::zeros({channels});
    norm.running_var = at::ones({channels});
    if (variant.residual) {
      residual = random_tensor(shape, "residual").requires_grad_(true);
    }
    norm.weight.requires_grad_(true);
    norm.bias.requires_grad_(true);
    keep_off_the_kinks();
  }

  [[nodiscard]] double value() const {
    const at::Tensor y = fused_norm(x, residual, norm, variant.relu);
    return (y.to(at::kDouble) * weights).sum().item<double>();
  }

  void backward() const {
    const at::Tensor y = fused_norm(x, residual, norm, variant.relu);
    (y * weights.to(at::kFloat)).sum().backward();
  }

 private:
  void keep_off_the_kinks() {
    weights = random_tensor(x.sizes(), "direction").to(at::kDouble);
    if (!variant.relu) {
      return;
    }
    const at::NoGradGuard no_grad;
    // A normalised value is below 5 here, so no move of one variable by the
    // reach moves an output by more.
    constexpr double kMargin = 5 * kDifferenceReach;
    const at::Tensor before = fused_norm(x, residual, norm, /*relu=*/false);
    weights.mul_(before.abs().gt(kMargin));
    ASSERT_GT(weights.ne(0).sum().item<std::int64_t>(), x.numel() * 2 / 3);
    ASSERT_GT(before.lt(-kMargin).sum().item<std::int64_t>(), x.numel() / 5);
  }
};

class FusedNormGradient : public testing::TestWithParam<FusedCase> {};

TEST_P(FusedNormGradient, IsThatOfFiniteDifferencesInEveryElement) {
  const FusedRig rig(GetParam(), {3, 24, 2, 2});
  rig.backward();
  const std::function<double()> f = [&] { return rig.value(); };
  expect_gradient(f, rig.x, rig.x.grad(), "input");
  expect_gradient(f, rig.norm.weight, rig.norm.weight.grad(), "weight");
  expect_gradient(f, rig.norm.bias, rig.norm.bias.grad(), "bias");
  if (rig.residual) {
    expect_gradient(f, *rig.residual, rig.residual->grad(), "residual");
  }
}

// 108 rows of 512 channels are two chunks; 150 rows of 32 in two dimensions
// are how the head calls it.
TEST_P(FusedNormGradient, IsThatOfFiniteDifferencesOverChunks) {
  const std::vector<std::vector<std::int64_t>> shapes = {
      {3, 512, 6, 6}, {150, 32}};
  for (const std::vector<std::int64_t>& shape : shapes) {
    const FusedRig rig(GetParam(), shape);
    rig.backward();
    const std::function<double()> f = [&] { return rig.value(); };
    const at::Tensor gradient = rig.x.grad();
    expect_derivative(
        f, rig.x, gradient, random_tensor(shape, "moves"), "input");
    // What BatchNorm takes out: a shift, and a stretch away from the mean.
    expect_derivative(f, rig.x, gradient, at::ones(shape), "shift");
    expect_derivative(f, rig.x, gradient, (rig.x.detach() - 2) / 3, "stretch");
    for (const at::Tensor& own : {rig.norm.weight, rig.norm.bias}) {
      expect_derivative(
          f,
          own,
          own.grad(),
          random_tensor(own.sizes(), "moves").mul_(.1),
          "own");
    }
    if (rig.residual) {
      expect_derivative(
          f,
          *rig.residual,
          rig.residual->grad(),
          random_tensor(shape, "moves"),
          "residual");
    }
  }
}

TEST_P(FusedNormGradient, IsThatOfPyTorchInDouble) {
  const FusedRig rig(GetParam(), {5, 37, 3, 2});
  rig.backward();
  const auto doubled = [](const at::Tensor& tensor) {
    return tensor.detach().to(at::kDouble).requires_grad_(true);
  };
  const at::Tensor x = doubled(rig.x);
  const at::Tensor weight = doubled(rig.norm.weight);
  const at::Tensor bias = doubled(rig.norm.bias);
  at::Tensor y = at::batch_norm(
      x, weight, bias, {}, {}, /*training=*/true, .1, 1e-5, true);
  at::Tensor residual;
  if (rig.residual) {
    residual = doubled(*rig.residual);
    y = y + residual;
  }
  y = rig.variant.relu ? y.relu() : y;
  (y * rig.weights).sum().backward();
  const auto expect_close = [](const at::Tensor& ours,
                               const at::Tensor& theirs,
                               const char* what) {
    const double scale = theirs.abs().max().item<double>();
    EXPECT_LE((ours - theirs).abs().max().item<double>(), 2e-6 * scale) << what;
  };
  expect_close(rig.x.grad(), x.grad(), "input");
  expect_close(rig.norm.weight.grad(), weight.grad(), "weight");
  expect_close(rig.norm.bias.grad(), bias.grad(), "bias");
  if (rig.residual) {
    expect_close(rig.residual->grad(), residual.grad(), "residual");
  }
}

// The same arithmetic on the same numbers, each result rounded once.
TEST_P(FusedNormGradient, OfBfloat16IsThatOfFloat32Rounded) {
  const std::vector<std::int64_t> shape = {5, 37, 9, 11};  // two chunks
  const FusedRig full(GetParam(), shape);
  FusedRig half(GetParam(), shape);
  const at::Tensor direction = random_tensor(shape, "slope").to(at::kBFloat16);
  {
    const at::NoGradGuard no_grad;
    half.x = full.x.to(at::kBFloat16).requires_grad_(true);
    full.x.copy_(half.x);
    if (full.residual) {
      half.residual = full.residual->to(at::kBFloat16).requires_grad_(true);
      full.residual->copy_(*half.residual);
    }
  }
  const at::Tensor expected =
      fused_norm(full.x, full.residual, full.norm, full.variant.relu);
  const at::Tensor actual =
      fused_norm(half.x, half.residual, half.norm, half.variant.relu);
  ASSERT_EQ(actual.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(actual.equal(expected.to(at::kBFloat16)));
  expected.backward(direction.to(at::kFloat));
  actual.backward(direction);
  EXPECT_TRUE(half.x.grad().equal(full.x.grad().to(at::kBFloat16)));
  EXPECT_TRUE(half.norm.weight.grad().equal(full.norm.weight.grad()));
  EXPECT_TRUE(half.norm.bias.grad().equal(full.norm.bias.grad()));
  EXPECT_TRUE(half.norm.running_mean.equal(full.norm.running_mean));
  EXPECT_TRUE(half.norm.running_var.equal(full.norm.running_var));
  if (full.residual) {
    EXPECT_TRUE(
        half.residual->grad().equal(full.residual->grad().to(at::kBFloat16)));
  }
}

TEST(FusedNorm, ABfloat16ThatIsNoNumberStaysNone) {
  FusedRig rig({"", false, true}, {4, 3, 2, 2});
  const at::NoGradGuard no_grad;
  rig.x.select(1, 1).fill_(std::numeric_limits<float>::quiet_NaN());
  const at::Tensor y = fused_norm(
      rig.x.to(at::kBFloat16), std::nullopt, rig.norm, /*relu=*/true);
  EXPECT_TRUE(y.select(1, 1).isnan().all().item<bool>());
  EXPECT_FALSE(y.select(1, 0).isnan().any().item<bool>());
  EXPECT_FALSE(y.select(1, 2).isnan().any().item<bool>());
}

std::string fused_case_name(const testing::TestParamInfo<FusedCase>& variant) {
  return variant.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    OfEachVariant,
    FusedNormGradient,
    testing::Values(
        FusedCase{"Plain", false, false},
        FusedCase{"ReLU", false, true},
        FusedCase{"Residual", true, false},
        FusedCase{"ResidualReLU", true, true}),
    fused_case_name);

}  // namespace
}  // namespace swavd::trainer
