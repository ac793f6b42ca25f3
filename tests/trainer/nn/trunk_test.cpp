#include "trainer/nn/trunk.h"

#include <vector>

#include <ATen/ops/conv2d.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/rand_like.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "trainer/nn/autocast.h"

namespace swavd::trainer {
namespace {

ResNetOptions small_resnet(ResNetBlock block, ResNetStem stem) {
  ResNetOptions options;
  options.block = block;
  options.depths = {1, 2, 1, 1};
  options.stem = stem;
  return options;
}

ResNetOptions small_resnext() {
  ResNetOptions options =
      small_resnet(ResNetBlock::kBottleneck, ResNetStem::kImageNet);
  options.groups = 8;
  options.width_per_group = 4;
  return options;
}

RegNetOptions small_regnet(RegNetType type) {
  RegNetOptions options{4, 8, 8.0, 2.0, 8};
  options.type = type;
  return options;
}

/// One of each kind.
std::vector<TrunkOptions> small_trunks() {
  return {
      small_regnet(RegNetType::kY),
      small_regnet(RegNetType::kX),
      small_resnet(ResNetBlock::kBasic, ResNetStem::kImageNet),
      small_resnet(ResNetBlock::kBottleneck, ResNetStem::kCifar),
      small_resnext()};
}

struct BuiltTrunk {
  TrunkDesign design;
  ParameterStore store;
  Trunk trunk;

  explicit BuiltTrunk(const TrunkOptions& options)
      : design(design_trunk(options).value()),
        store(trunk_specs(design)),
        trunk(store, design) {
    store.initialise(1);
  }
};

at::Tensor image_batch(std::int64_t images, std::int64_t size) {
  return at::rand({images, 3, size, size})
      .contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(Trunk, PoolsImagesOfAnySizeToOneFeatureVector) {
  const at::NoGradGuard no_grad;
  for (const TrunkOptions& options : small_trunks()) {
    const BuiltTrunk built(options);
    for (const std::int64_t size : {16, 32, 33, 96}) {
      const at::Tensor features =
          built.trunk.forward(image_batch(2, size), Mode::kTrain);
      EXPECT_EQ(
          features.sizes().vec(),
          (std::vector<std::int64_t>{2, built.design.features()}));
      EXPECT_TRUE(features.isfinite().all().item<bool>());
    }
  }
}

TEST(Trunk, EvaluationOfAnImageDoesNotDependOnItsNeighbours) {
  const at::NoGradGuard no_grad;
  for (const TrunkOptions& options : small_trunks()) {
    const BuiltTrunk built(options);
    const at::Tensor images = image_batch(3, 32);
    const at::Tensor together = built.trunk.forward(images, Mode::kEval);
    const at::Tensor alone =
        built.trunk.forward(images.narrow(0, 1, 1), Mode::kEval);
    EXPECT_TRUE(together.narrow(0, 1, 1).allclose(alone, 1e-4, 1e-5));
  }
}

TEST(Trunk, EveryParameterGetsAGradient) {
  for (const TrunkOptions& options : small_trunks()) {
    const BuiltTrunk built(options);
    built.trunk.forward(image_batch(4, 32), Mode::kTrain)
        .pow(2)
        .sum()
        .backward();
    for (const ParameterStore::Entry& entry : built.store.entries()) {
      if (entry.spec.role == Role::kParameter) {
        EXPECT_TRUE(entry.tensor.grad().defined()) << entry.spec.name;
      }
    }
  }
}

/// oneDNN's own gradient is wrong for few channels on some processors.
TEST(Trunk, NarrowStridedShortcutsHaveTheGradientsOfTheirFormula) {
  for (const std::int32_t width : {3, 6, 8, 15}) {
    RegNetOptions options = small_regnet(RegNetType::kY);
    options.stem_width = width;
    const BuiltTrunk built(options);
    const ConvNorm& shortcut = *built.trunk.stages[0][0].shortcut;
    ASSERT_EQ(shortcut.stride, 2);
    const at::Tensor x = at::rand({20, width, 15, 14})
                             .contiguous(at::MemoryFormat::ChannelsLast)
                             .requires_grad_();
    const at::Tensor exact_x = x.detach().to(at::kDouble).requires_grad_();
    const at::Tensor exact_weight =
        shortcut.weight.detach().to(at::kDouble).requires_grad_();
    const at::Tensor y = shortcut.convolve(x);
    const at::Tensor exact_y =
        at::conv2d(exact_x, exact_weight, /*bias=*/{}, /*stride=*/{2, 2});
    const at::Tensor dy = at::rand_like(y);
    y.backward(dy);
    exact_y.backward(dy.to(at::kDouble));
    const auto near = [](const at::Tensor& ours, const at::Tensor& exact) {
      return ours.to(at::kDouble).allclose(exact, 1e-5, 1e-5);
    };
    EXPECT_TRUE(near(y, exact_y)) << width;
    EXPECT_TRUE(near(x.grad(), exact_x.grad())) << width;
    EXPECT_TRUE(near(shortcut.weight.grad(), exact_weight.grad())) << width;
  }
}

TEST(Trunk, StemsHalveQuarterOrKeepTheResolution) {
  const at::NoGradGuard no_grad;
  const auto side_behind_stem = [](const TrunkOptions& options) {
    const BuiltTrunk built(options);
    return built.trunk.forward_stem(image_batch(1, 32), Mode::kEval).size(2);
  };
  EXPECT_EQ(side_behind_stem(small_regnet(RegNetType::kY)), 16);
  EXPECT_EQ(side_behind_stem(small_resnext()), 8);
  EXPECT_EQ(
      side_behind_stem(small_resnet(ResNetBlock::kBasic, ResNetStem::kCifar)),
      32);
}

TEST(Trunk, EachStageButAResNetsFirstHalvesTheResolution) {
  const at::NoGradGuard no_grad;
  const auto sides = [](const TrunkOptions& options) {
    const BuiltTrunk built(options);
    at::Tensor x = built.trunk.forward_stem(image_batch(1, 64), Mode::kEval);
    std::vector<std::int64_t> result;
    for (const std::vector<ResidualBlock>& blocks : built.trunk.stages) {
      for (const ResidualBlock& block : blocks) {
        x = block.forward(x, Mode::kEval);
      }
      result.push_back(x.size(3));
    }
    return result;
  };
  using Sides = std::vector<std::int64_t>;
  const BuiltTrunk regnet(small_regnet(RegNetType::kX));
  EXPECT_EQ(
      sides(small_regnet(RegNetType::kX)).back(),
      32 >> regnet.trunk.stages.size());
  EXPECT_EQ(sides(small_resnext()), (Sides{16, 8, 4, 2}));
  EXPECT_EQ(
      sides(small_resnet(ResNetBlock::kBasic, ResNetStem::kCifar)),
      (Sides{64, 32, 16, 8}));
}

TEST(Trunk, GivesTheMapsOfItsLastStages) {
  const at::NoGradGuard no_grad;
  for (const TrunkOptions& options : small_trunks()) {
    const BuiltTrunk built(options);
    const at::Tensor images = image_batch(2, 64);
    const auto maps = built.trunk.stage_maps(images, Mode::kEval, 2);
    ASSERT_EQ(maps.size(), 2U);
    const auto widths = built.design.widths();
    EXPECT_EQ(maps[0].size(1), widths[widths.size() - 2]);
    EXPECT_EQ(maps[0].size(2), 2 * maps[1].size(2));
    const at::Tensor pooled = built.trunk.forward(images, Mode::kEval);
    EXPECT_TRUE(maps[1].mean(at::IntArrayRef{2, 3}).equal(pooled));
    EXPECT_EQ(
        built.trunk.stage_maps(images, Mode::kEval, 9).size(),
        built.design.stages.size());
  }
}

TEST(Trunk, ActivationsStayChannelsLastInEveryPrecision) {
  for (const TrunkOptions& options : small_trunks()) {
    const BuiltTrunk built(options);
    for (const Precision precision :
         {Precision::kFloat32, Precision::kBfloat16, Precision::kFloat16}) {
      const AutocastGuard autocast(precision, at::kCPU);
      at::Tensor y = built.trunk.forward_stem(image_batch(2, 64), Mode::kTrain);
      for (const auto& blocks : built.trunk.stages) {
        for (const ResidualBlock& block : blocks) {
          y = block.forward(y, Mode::kTrain);
          EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
        }
      }
      const bool reduced = precision != Precision::kFloat32;
      EXPECT_EQ(y.scalar_type() != at::kFloat, reduced);
    }
  }
}

}  // namespace
}  // namespace swavd::trainer
