#include "trainer/eval/grouped_sgd.h"

#include <string>
#include <vector>

#include <ATen/ops/full_like.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/eval/linear_probe.h"

namespace swavd::trainer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// A linear layer and a BatchNorm, all parameters 1.
ParameterStore layer_and_norm() {
  auto specs = linear_specs("layer", 3, 2);
  for (TensorSpec& spec : norm_specs("norm", 3)) {
    specs.push_back(std::move(spec));
  }
  ParameterStore store(std::move(specs));
  const at::NoGradGuard no_grad;
  for (const ParameterStore::Entry& entry : store.entries()) {
    if (entry.spec.role == Role::kParameter) {
      entry.tensor.fill_(1);
    }
  }
  return store;
}

void set_gradients(const ParameterStore& store, double value) {
  for (const ParameterStore::Entry& entry : store.entries()) {
    if (entry.spec.role == Role::kParameter) {
      entry.tensor.mutable_grad() = at::full_like(entry.tensor, value);
    }
  }
}

/// Parameters whose values are (but for rounding) `value` now.
std::vector<std::string> now_at(const ParameterStore& store, double value) {
  std::vector<std::string> names;
  for (const ParameterStore::Entry& entry : store.entries()) {
    if (entry.spec.role == Role::kParameter &&
        entry.tensor.sub(value).abs().max().item<double>() < 1e-6) {
      names.push_back(entry.spec.name);
    }
  }
  return names;
}

/// What a step with no gradient but weight decay moves.
std::vector<std::string> decayed(bool norms, bool biases) {
  const ParameterStore store = layer_and_norm();
  GroupedSgd sgd({0.9, 0.5, false, norms, biases});
  sgd.add(store, RateOf::kHead);
  set_gradients(store, 0);
  sgd.step({0, 1});
  return now_at(store, 0.5);
}

TEST(GroupedSgd, TellsNormsAndBiasesFromWeights) {
  EXPECT_THAT(
      decayed(true, true),
      ElementsAre("layer.weight", "layer.bias", "norm.weight", "norm.bias"));
  EXPECT_THAT(decayed(false, true), ElementsAre("layer.weight", "layer.bias"));
  EXPECT_THAT(
      decayed(true, false),
      ElementsAre("layer.weight", "norm.weight", "norm.bias"));
  EXPECT_THAT(decayed(false, false), ElementsAre("layer.weight"));
}

TEST(GroupedSgd, GivesEveryGroupItsOwnRate) {
  const ParameterStore store = layer_and_norm();
  const auto is_norm = [](const std::string& name) {
    return name.starts_with("norm.");
  };
  GroupedSgd sgd(SgdOptions{});
  sgd.add(store, RateOf::kTrunk, is_norm);
  sgd.add(store, RateOf::kHead, [&is_norm](const std::string& name) {
    return !is_norm(name);
  });
  set_gradients(store, 1);
  sgd.step({0.25, 0.5});
  EXPECT_THAT(now_at(store, 0.75), ElementsAre("norm.weight", "norm.bias"));
  EXPECT_THAT(now_at(store, 0.5), ElementsAre("layer.weight", "layer.bias"));
}

TEST(GroupedSgd, ForgetsGradientsAndLeavesAParameterWithoutOneAlone) {
  const ParameterStore store = layer_and_norm();
  GroupedSgd sgd({0.9, 0.5, true});
  sgd.add(store, RateOf::kHead);
  sgd.step({1, 1});
  EXPECT_EQ(now_at(store, 1).size(), 4U);
  set_gradients(store, 1);
  sgd.step({1, 1});
  EXPECT_THAT(now_at(store, 1), IsEmpty());
  for (const ParameterStore::Entry& entry : store.entries()) {
    EXPECT_FALSE(entry.tensor.grad().defined()) << entry.spec.name;
  }
}

}  // namespace
}  // namespace swavd::trainer
