#include "trainer/swav/swav_loss.h"

#include <vector>

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

/// Three crops of two images, three prototypes.
at::Tensor loss_scores() {
  const std::vector<double> values = {
      .9,
      .1,
      -.3,
      -.1,
      .7,
      .3,  // crop 0
      .8,
      .2,
      0,
      .5,
      .4,
      -.6,  // crop 1
      .3,
      .3,
      .1,
      -.2,
      .6,
      .4};  // crop 2
  return at::tensor(values, at::kDouble).view({6, 3});
}

double loss_of(const at::Tensor& scores, double epsilon) {
  return swav_loss(scores, 2, {.1, 2, {epsilon, 3}}).item<double>();
}

// Reference values computed independently in float64.
TEST(SwavLoss, HasTheReferenceValuesInDouble) {
  EXPECT_NEAR(loss_of(loss_scores(), .05), 2.038186650465824, 1e-9);
  EXPECT_NEAR(loss_of(loss_scores(), .5), 3.3022496456179953, 1e-9);
}

TEST(SwavLoss, HasTheReferenceValuesInFloat) {
  const at::Tensor scores = loss_scores().to(at::kFloat);
  EXPECT_NEAR(loss_of(scores, .05), 2.038186650465824, 1e-6);
  EXPECT_NEAR(loss_of(scores, .5), 3.3022496456179953, 1e-6);
}

TEST(SwavLoss, IsLnKWhenAllScoresAreEqual) {
  EXPECT_NEAR(
      loss_of(at::zeros({6, 3}, at::kDouble), .05), std::log(3.0), 1e-12);
}

TEST(SwavLoss, GradientAgreesWithFiniteDifferencesWhereCodesStandStill) {
  // Crop 2 gives no codes, so moving its scores moves only predictions.
  const at::Tensor scores = loss_scores().requires_grad_(true);
  swav_loss(scores, 2, {.1, 2, {.5, 3}}).backward();
  constexpr double kStep = 1e-5;
  for (std::int64_t row = 4; row < 6; ++row) {
    for (std::int64_t column = 0; column < 3; ++column) {
      at::Tensor moved = loss_scores();
      auto* value = moved.mutable_data_ptr<double>() + row * 3 + column;
      *value += kStep;
      const double above = loss_of(moved, .5);
      *value -= 2 * kStep;
      const double below = loss_of(moved, .5);
      EXPECT_NEAR(
          scores.grad()[row][column].item<double>(),
          (above - below) / (2 * kStep),
          1e-8);
    }
  }
}

}  // namespace
}  // namespace swavd::trainer
