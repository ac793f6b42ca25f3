#include "trainer/nn/regnet.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "trainer/nn/autocast.h"

namespace swavd::trainer {
namespace {

ParameterStore trunk_store(const RegNetDesign& design) {
  ParameterStore store(trunk_specs(design));
  store.initialise(1);
  return store;
}

at::Tensor image_batch(std::int64_t images, std::int64_t size) {
  return at::rand({images, 3, size, size})
      .contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(RegNet, PoolsImagesOfAnySizeToOneFeatureVector) {
  const RegNetDesign design = design_regnet({4, 8, 8.0, 2.0, 8}).value();
  const ParameterStore store = trunk_store(design);
  const RegNet trunk(store, design);
  ASSERT_EQ(trunk.blocks.size(), 4U);
  const at::NoGradGuard no_grad;
  for (const std::int64_t size : {16, 32, 33, 96}) {
    const at::Tensor features =
        trunk.forward(image_batch(2, size), Mode::kTrain);
    EXPECT_EQ(
        features.sizes().vec(),
        (std::vector<std::int64_t>{2, design.features()}));
    EXPECT_TRUE(features.isfinite().all().item<bool>());
  }
}

TEST(RegNet, EvaluationOfAnImageDoesNotDependOnItsNeighbours) {
  const RegNetDesign design = design_regnet({4, 8, 8.0, 2.0, 8}).value();
  const ParameterStore store = trunk_store(design);
  const RegNet trunk(store, design);
  const at::NoGradGuard no_grad;
  const at::Tensor images = image_batch(3, 32);
  const at::Tensor together = trunk.forward(images, Mode::kEval);
  const at::Tensor alone = trunk.forward(images.narrow(0, 1, 1), Mode::kEval);
  EXPECT_TRUE(together.narrow(0, 1, 1).allclose(alone, 1e-4, 1e-5));
}

TEST(RegNet, EveryParameterGetsAGradient) {
  const RegNetDesign design = design_regnet({4, 8, 8.0, 2.0, 8}).value();
  const ParameterStore store = trunk_store(design);
  const RegNet trunk(store, design);
  trunk.forward(image_batch(4, 32), Mode::kTrain).pow(2).sum().backward();
  for (const ParameterStore::Entry& entry : store.entries()) {
    if (entry.spec.role == Role::kParameter) {
      EXPECT_TRUE(entry.tensor.grad().defined()) << entry.spec.name;
    }
  }
}

TEST(RegNet, ActivationsStayChannelsLastInEveryPrecision) {
  const RegNetDesign design = design_regnet({4, 8, 8.0, 2.0, 8}).value();
  const ParameterStore store = trunk_store(design);
  const RegNet trunk(store, design);
  const at::Tensor x =
      at::rand({2, 32, 16, 16}).contiguous(at::MemoryFormat::ChannelsLast);
  for (const Precision precision :
       {Precision::kFloat32, Precision::kBfloat16, Precision::kFloat16}) {
    const AutocastGuard autocast(precision, at::kCPU);
    at::Tensor y = x;
    for (const RegNetBlock& block : trunk.blocks) {
      y = block.forward(y, Mode::kTrain);
      EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
    }
    const bool reduced = precision != Precision::kFloat32;
    EXPECT_EQ(y.scalar_type() != at::kFloat, reduced);
  }
}

}  // namespace
}  // namespace swavd::trainer
