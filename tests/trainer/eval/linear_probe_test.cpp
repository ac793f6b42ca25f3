#include "trainer/eval/linear_probe.h"

#include <cmath>
#include <vector>

#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "trainer/eval/grouped_sgd.h"

namespace swavd::trainer {
namespace {

struct ProbeOf {
  ProbeSpec spec;
  ParameterStore store;
  LinearProbe probe;

  ProbeOf(std::int64_t channels, bool norm)
      : spec{"probe", 0, channels, {1, 1}, norm},
        store(probe_specs(spec, 2)),
        probe(store, spec) {
    store.initialise(3);
  }

  void set_weight(const std::vector<float>& values) {
    const at::NoGradGuard no_grad;
    probe.weight.copy_(at::tensor(values).view_as(probe.weight));
  }
};

// Weights 0: both classes have the probability 1/2, so the gradient of the
// loss by the logits is (1/2 - truth) / 2 and by the weights
// [[-.25, .25] [.25, -.25]] times the features.
TEST(LinearProbes, TakeTheGradientStepThatAHandComputes) {
  ProbeOf made(2, /*norm=*/false);
  made.set_weight({0, 0, 0, 0});
  const at::Tensor features =
      at::tensor(std::vector<float>{1, 2, 3, -1}).view({2, 2, 1, 1});
  const at::Tensor labels =
      at::tensor(std::vector<std::int64_t>{0, 1}, at::dtype(at::kLong));
  const at::Tensor loss = probe_loss({made.probe}, {features}, labels);
  EXPECT_NEAR(loss.item<double>(), std::log(2.0), 1e-6);
  loss.backward();
  GroupedSgd sgd({0, 0, false});
  sgd.add(made.store, RateOf::kHead);
  sgd.step({0, 1});
  const at::Tensor wanted =
      at::tensor(std::vector<float>{-0.5F, 0.75F, 0.5F, -0.75F}).view({2, 2});
  EXPECT_TRUE(made.probe.weight.allclose(wanted, 0, 1e-6)) << made.probe.weight;
  EXPECT_TRUE(made.probe.bias.eq(0).all().item<bool>());
}

TEST(LinearProbes, NormaliseByTheBatchInTrainingAndByRunningValuesElse) {
  ProbeOf made(1, /*norm=*/true);
  made.set_weight({1, 0});
  const at::NoGradGuard no_grad;
  const at::Tensor map =
      at::tensor(std::vector<float>{1, 3}).view({2, 1, 1, 1});
  const at::Tensor trained = made.probe.forward(map, Mode::kTrain);
  EXPECT_NEAR(trained[0][0].item<double>(), -1, 1e-4);
  EXPECT_NEAR(trained[1][0].item<double>(), 1, 1e-4);
  // Mean 2 and unbiased variance 2, of each a tenth.
  const at::Tensor tested = made.probe.forward(map, Mode::kEval);
  const double deviation = std::sqrt(1.1 + 1e-5);
  EXPECT_NEAR(tested[0][0].item<double>(), 0.8 / deviation, 1e-5);
  EXPECT_NEAR(tested[1][0].item<double>(), 2.8 / deviation, 1e-5);
}

TEST(LinearProbes, BeginWithSmallWeightsThatTheSeedDecides) {
  ProbeOf first(400, /*norm=*/false);
  ProbeOf second(400, /*norm=*/false);
  EXPECT_TRUE(first.probe.weight.equal(second.probe.weight));
  EXPECT_NEAR(first.probe.weight.std().item<double>(), 0.01, 0.001);
  EXPECT_TRUE(first.probe.bias.eq(0).all().item<bool>());
  second.store.initialise(4);
  EXPECT_FALSE(first.probe.weight.equal(second.probe.weight));
}

}  // namespace
}  // namespace swavd::trainer
