#include "trainer/swav/swav_loss.h"

#include <cmath>
#include <limits>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/stack.h>
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

at::Tensor loss_tensor(
    const std::vector<SetScores>& sets,
    double epsilon,
    bool hard_codes = false) {
  return swav_loss(sets, 2, {.1, 2, {epsilon, 3}, hard_codes});
}

double loss_of(const at::Tensor& scores, double epsilon) {
  return loss_tensor({{scores, {}}}, epsilon).item<double>();
}

/// The loss written out for codes [assigning crops, images, K].
double loss_for_codes(const at::Tensor& scores, const at::Tensor& codes) {
  const at::Tensor log_p = at::log_softmax(scores.view({3, 2, 3}) / .1, 2);
  double sum = 0;
  for (std::int64_t crop = 0; crop < 2; ++crop) {
    for (std::int64_t other = 0; other < 3; ++other) {
      if (other != crop) {
        sum -= (codes[crop] * log_p[other]).sum(1).mean().item<double>();
      }
    }
  }
  return sum / 4;
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
  loss_tensor({{scores, {}}}, .5).backward();
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

TEST(SwavLoss, IsTheMeanOverTheSetsOfPrototypes) {
  const at::Tensor other = at::cat({loss_scores(), loss_scores() * .3}, 1);
  EXPECT_NEAR(
      loss_tensor({{loss_scores(), {}}, {other, {}}}, .5).item<double>(),
      (loss_of(loss_scores(), .5) + loss_of(other, .5)) / 2,
      1e-12);
}

TEST(SwavLoss, HardCodesAreTheLikeliestPrototypeAlone) {
  // The greatest of each row of the reference's soft codes.
  const at::Tensor codes =
      at::tensor({1., 0., 0., 0., 1., 0., 0., 0., 1., 0., 1., 0.}, at::kDouble)
          .view({2, 2, 3});
  const at::Tensor q0 = sinkhorn(loss_scores().narrow(0, 0, 2), {.05, 3});
  const at::Tensor q1 = sinkhorn(loss_scores().narrow(0, 2, 2), {.05, 3});
  const at::Tensor likeliest = at::stack({q0, q1}).argmax(2);
  ASSERT_TRUE(likeliest.equal(codes.argmax(2))) << likeliest;
  EXPECT_NEAR(
      loss_tensor({{loss_scores(), {}}}, .05, true).item<double>(),
      loss_for_codes(loss_scores(), codes),
      1e-12);
}

TEST(SwavLoss, AnImageWithoutASoftCodeHasNoHardOne) {
  // The second image of crop 0 is 300 epsilon below the first.
  at::Tensor scores = loss_scores().to(at::kFloat);
  scores[1].fill_(-14.0);
  const at::Tensor codes = sinkhorn(scores.narrow(0, 0, 2), {.05, 3});
  ASSERT_EQ(codes[1].max().item<float>(), 0.0F);
  const at::Tensor q1 = sinkhorn(scores.narrow(0, 2, 2), {.05, 3}).argmax(1);
  at::Tensor expected = at::zeros({2, 2, 3});
  expected[0][0][codes[0].argmax().item<std::int64_t>()] = 1.0;
  for (std::int64_t image = 0; image < 2; ++image) {
    expected[1][image][q1[image].item<std::int64_t>()] = 1.0;
  }
  EXPECT_NEAR(
      loss_tensor({{scores, {}}}, .05, true).item<double>(),
      loss_for_codes(scores, expected),
      1e-4);
}

TEST(SwavLoss, QueuedImagesTakePartInFindingTheCodesAndNothingElse) {
  const at::Tensor queued = at::tensor(
                                {.2,
                                 .9,
                                 .1,
                                 .4,
                                 .4,
                                 .3,
                                 .7,
                                 -.2,
                                 .5,
                                 .1,
                                 .8,
                                 .6,
                                 .0,
                                 .3,
                                 .9,
                                 .6,
                                 .5,
                                 .1},
                                at::kDouble)
                                .view({2, 3, 3});
  std::vector<at::Tensor> codes;
  for (std::int64_t crop = 0; crop < 2; ++crop) {
    codes.push_back(
        sinkhorn(
            at::cat({loss_scores().narrow(0, 2 * crop, 2), queued[crop]}),
            {.5, 3})
            .narrow(0, 0, 2));
  }
  const double loss = loss_tensor({{loss_scores(), queued}}, .5).item<double>();
  EXPECT_NEAR(loss, loss_for_codes(loss_scores(), at::stack(codes)), 1e-12);
  EXPECT_GT(std::abs(loss - loss_of(loss_scores(), .5)), 1e-3);
}

TEST(SwavLoss, HalfWidthScoresAreComputedInFloat32) {
  const at::Tensor half = loss_scores().to(at::kBFloat16);
  const at::Tensor loss = loss_tensor({{half, half.view({3, 2, 3})}}, .05);
  EXPECT_EQ(loss.scalar_type(), at::kFloat);
  const at::Tensor exact = half.to(at::kFloat);
  EXPECT_EQ(
      loss.item<float>(),
      loss_tensor({{exact, exact.view({3, 2, 3})}}, .05).item<float>());
}

TEST(SwavLoss, AScoreThatIsNoNumberMakesALossThatIsNone) {
  at::Tensor scores = loss_scores().to(at::kFloat);
  scores.mutable_data_ptr<float>()[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(loss_of(scores, .05)));
}

}  // namespace
}  // namespace swavd::trainer
