#include "trainer/swav/sinkhorn.h"

#include <utility>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "ops/base/philox.h"
#include "tests/trainer/device/all_devices.h"
#include "trainer/torch/tensor_device.h"

namespace swavd::trainer {
namespace {

at::Tensor table(const std::vector<double>& values, std::int64_t columns) {
  return at::tensor(values, at::kDouble).view({-1, columns});
}

at::Tensor test_scores() {
  return table({.9, .1, -.3, .8, .2, 0, -.1, .7, .3, .5, .4, -.6}, 3);
}

void expect_near(
    const at::Tensor& actual,
    const at::Tensor& expected,
    double tolerance) {
  ASSERT_EQ(actual.sizes(), expected.sizes());
  const double worst =
      (actual.to(at::kDouble) - expected).abs().max().item<double>();
  EXPECT_LE(worst, tolerance) << "worst difference " << worst;
}

struct SinkhornVector {
  SinkhornOptions options;
  std::vector<double> codes;
};

// Computed independently from the formula, six digits.
const SinkhornVector kVectors[] = {
    {{.5, 3},
     {.555985,
      .200505,
      .243509,
      .397973,
      .214108,
      .387919,
      .048563,
      .429644,
      .521793,
      .333625,
      .487903,
      .178472}},
    {{.05, 3},
     {.999913,
      1.7e-5,
      6.9e-5,
      .828314,
      .000785,
      .170901,
      0,
      .200487,
      .799513,
      .045718,
      .954258,
      2.3e-5}},
    {{.05, 10},
     {.999386,
      .000148,
      .000466,
      .416913,
      .003373,
      .579714,
      0,
      .241079,
      .758921,
      .005580,
      .994400,
      1.9e-5}},
    {{.03, 10},
     {.999999,
      0,
      1e-6,
      .563395,
      7.4e-5,
      .436531,
      0,
      .116994,
      .883006,
      .000442,
      .999558,
      0}},
};

class Sinkhorns : public AllDevices {
 protected:
  /// The codes of `scores`, found on the device, float64 ones by the formula.
  at::Tensor codes_of(const at::Tensor& scores, SinkhornOptions options) {
    options.link = link().get();
    return sinkhorn(scores.to(tensor_device(link().get())), options).cpu();
  }
};

TEST_P(Sinkhorns, GivesTheReferenceCodes) {
  for (const SinkhornVector& vector : kVectors) {
    const at::Tensor expected = table(vector.codes, 3);
    expect_near(codes_of(test_scores(), vector.options), expected, 1e-6);
    // float32: half a unit of the sixth digit and rounding of the exponent.
    expect_near(
        codes_of(test_scores().to(at::kFloat), vector.options), expected, 5e-6);
  }
}

TEST_P(Sinkhorns, PrototypesOfTheReferenceHaveTheKnownMasses) {
  const at::Tensor codes = codes_of(test_scores(), {.05, 3});
  expect_near(
      codes.mean(0, /*keepdim=*/true),
      table({.468486, .288887, .242627}, 3),
      1e-6);
}

TEST_P(Sinkhorns, EveryRowSumsToOne) {
  const at::Tensor codes = codes_of(test_scores().to(at::kFloat), {.03, 1});
  expect_near(codes.sum(1), at::zeros({4}, at::kDouble) + 1.0, 1e-6);
}

TEST_P(Sinkhorns, SurvivesAPrototypeThatUnderflowedToNothing) {
  // exp((-3 - 1) / .01) is zero in float32 and in float64.
  const at::Tensor scores = table({1, .9, -3, .8, 1, -3}, 3);
  for (const auto type : {at::kFloat, at::kDouble}) {
    const at::Tensor codes = codes_of(scores.to(type), {.005, 3});
    EXPECT_TRUE(codes.isfinite().all().item<bool>());
    expect_near(codes.sum(1), at::zeros({2}, at::kDouble) + 1.0, 1e-6);
  }
}

TEST_P(Sinkhorns, SurvivesARowThatUnderflowedToNothing) {
  const at::Tensor scores = table({1, .9, -3, -3}, 2).to(at::kFloat);
  const at::Tensor codes = codes_of(scores, {.01, 3});
  EXPECT_TRUE(codes.isfinite().all().item<bool>());
}

/// Cosines as a step has them: unit vectors of 32 dimensions.
at::Tensor random_scores(std::int64_t samples, std::int64_t prototypes) {
  constexpr std::int64_t kDim = 32;
  Random random(stream_key(7, "scores"));
  at::Tensor vectors = at::empty({samples + prototypes, kDim}, at::kDouble);
  auto* values = vectors.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < vectors.numel(); ++i) {
    values[i] = random.normal();
  }
  vectors.div_(vectors.square().sum(1, /*keepdim=*/true).sqrt());
  return at::mm(
             vectors.narrow(0, 0, samples),
             vectors.narrow(0, samples, prototypes).t())
      .to(at::kFloat);
}

TEST_P(Sinkhorns, InOnePassAnIterationEqualsTheFormulaInDouble) {
  // One row; a few pieces of several rows; rows in one piece; many pieces.
  const std::pair<std::int64_t, std::int64_t> shapes[] = {
      {1, 5}, {24, 16000}, {64, 300}, {2000, 77}, {37, 4097}};
  for (const auto& [samples, prototypes] : shapes) {
    const at::Tensor scores = random_scores(samples, prototypes);
    for (const SinkhornOptions& options :
         {SinkhornOptions{.05, 3}, {.05, 10}, {.03, 10}, {.02, 1}}) {
      SCOPED_TRACE(
          testing::Message() << samples << " x " << prototypes << ", epsilon "
                             << options.epsilon << ", " << options.iterations);
      expect_near(
          codes_of(scores, options),
          codes_of(scores.to(at::kDouble), options),
          1e-5);
    }
  }
}

TEST_P(Sinkhorns, RescuesAPrototypeAsTheFormulaInDoubleDoes) {
  // exp((-8 - 1) / .01) is zero in both types.
  const at::Tensor scores = table({1, .9, -8, .8, 1, -8, .5, .6, -8}, 3);
  const SinkhornOptions options{.01, 4};
  expect_near(
      codes_of(scores.to(at::kFloat), options),
      codes_of(scores, options),
      1e-5);
}

TEST_P(Sinkhorns, DoesNotDependOnTheNumberOfThreads) {
  const at::Tensor scores = random_scores(48, 16000);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = codes_of(scores, {.05, 10});
  at::set_num_threads(3);
  const at::Tensor three = codes_of(scores, {.05, 10});
  at::set_num_threads(threads);
  EXPECT_TRUE(one.equal(three));
}

TEST_P(Sinkhorns, ScoresOfAnySpreadGiveFiniteCodes) {
  const at::Tensor scores = random_scores(16, 40) * 100;
  for (const double epsilon : {1e-3, .05, 10.}) {
    const at::Tensor codes = codes_of(scores, {epsilon, 10});
    EXPECT_TRUE(codes.isfinite().all().item<bool>()) << epsilon;
    EXPECT_GE(codes.min().item<float>(), 0.0F);
    EXPECT_LE(codes.max().item<float>(), 1.0F + 1e-5F);
  }
}

TEST_P(Sinkhorns, ComputesNoGradient) {
  const at::Tensor scores = test_scores().requires_grad_(true);
  EXPECT_FALSE(codes_of(scores, {.05, 3}).requires_grad());
}

SWAVD_ON_DEVICES(Sinkhorns, "cpu", "emulated", "cuda");

}  // namespace
}  // namespace swavd::trainer
