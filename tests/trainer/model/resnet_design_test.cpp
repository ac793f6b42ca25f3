#include "trainer/model/resnet_design.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/model/tensor_specs.h"

namespace swavd::trainer {
namespace {

using testing::ElementsAre;

std::vector<std::string> weight_names(const BlockDesign& block) {
  std::vector<std::string> names;
  for (const ConvDesign& conv : block.convs) {
    names.push_back(conv.conv);
    names.push_back(conv.norm);
  }
  if (block.shortcut) {
    names.push_back(block.shortcut->conv);
    names.push_back(block.shortcut->norm);
  }
  return names;
}

ResNetOptions resnet18() {
  ResNetOptions options;
  options.block = ResNetBlock::kBasic;
  options.depths = {2, 2, 2, 2};
  return options;
}

ResNetOptions resnext50() {
  ResNetOptions options;
  options.groups = 32;
  options.width_per_group = 4;
  return options;
}

TEST(ResNetDesign, StridesStandInThe3x3OfAllStagesButTheFirst) {
  const TrunkDesign design = design_resnet({}).value();
  EXPECT_EQ(design.stem.shape.kernel, 7);
  EXPECT_EQ(design.stem.shape.stride, 2);
  EXPECT_TRUE(design.pooled_stem);
  for (std::size_t s = 0; s < design.stages.size(); ++s) {
    for (std::size_t b = 0; b < design.stages[s].size(); ++b) {
      const BlockDesign& block = design.stages[s][b];
      const std::int64_t stride = s > 0 && b == 0 ? 2 : 1;
      EXPECT_EQ(block.convs[0].shape.stride, 1);
      EXPECT_EQ(block.convs[1].shape.stride, stride) << s << " " << b;
      EXPECT_EQ(block.convs[2].shape.stride, 1);
      EXPECT_EQ(block.shortcut.has_value(), b == 0) << s << " " << b;
      if (block.shortcut) {
        EXPECT_EQ(block.shortcut->shape.stride, stride);
      }
    }
  }
}

TEST(ResNetDesign, AFirstStageOfBasicBlocksHasNoShortcutConvolution) {
  const TrunkDesign design = design_resnet(resnet18()).value();
  EXPECT_FALSE(design.stages[0][0].shortcut.has_value());
  EXPECT_TRUE(design.stages[1][0].shortcut.has_value());
  EXPECT_EQ(design.stages[1][0].convs[0].shape.stride, 2);
  EXPECT_THAT(design.widths(), ElementsAre(64, 128, 256, 512));
  EXPECT_THAT(design.depths(), ElementsAre(2, 2, 2, 2));
}

TEST(ResNetDesign, NamesAreHuggingFacesWhereItsResNetModelCanBeBuiltSo) {
  ResNetOptions wide;
  wide.widen = 4;
  for (const ResNetOptions& options : {ResNetOptions{}, wide, resnet18()}) {
    const TrunkDesign design = design_resnet(options).value();
    EXPECT_EQ(design.names, NameStyle::kHuggingFace);
    EXPECT_EQ(design.stem.conv, "embedder.embedder.convolution");
  }
  EXPECT_THAT(
      weight_names(design_resnet({}).value().stages[2][0]),
      ElementsAre(
          "encoder.stages.2.layers.0.layer.0.convolution",
          "encoder.stages.2.layers.0.layer.0.normalization",
          "encoder.stages.2.layers.0.layer.1.convolution",
          "encoder.stages.2.layers.0.layer.1.normalization",
          "encoder.stages.2.layers.0.layer.2.convolution",
          "encoder.stages.2.layers.0.layer.2.normalization",
          "encoder.stages.2.layers.0.shortcut.convolution",
          "encoder.stages.2.layers.0.shortcut.normalization"));
}

TEST(ResNetDesign, OthersHaveTimmsNames) {
  ResNetOptions small = resnet18();
  small.stem = ResNetStem::kCifar;
  ResNetOptions wider_inside;
  wider_inside.width_per_group = 128;
  for (const ResNetOptions& options : {small, wider_inside, resnext50()}) {
    const TrunkDesign design = design_resnet(options).value();
    EXPECT_EQ(design.names, NameStyle::kTimm);
    EXPECT_EQ(design.stem.conv, "conv1");
    EXPECT_EQ(design.stem.norm, "bn1");
  }
  const TrunkDesign design = design_resnet(small).value();
  EXPECT_FALSE(design.pooled_stem);
  EXPECT_EQ(design.stem.shape.kernel, 3);
  EXPECT_EQ(design.stem.shape.stride, 1);
  EXPECT_THAT(
      weight_names(design.stages[1][0]),
      ElementsAre(
          "layer2.0.conv1",
          "layer2.0.bn1",
          "layer2.0.conv2",
          "layer2.0.bn2",
          "layer2.0.downsample.0",
          "layer2.0.downsample.1"));
}

TEST(ResNetDesign, GroupsWidenABottleneckInside) {
  const TrunkDesign design = design_resnet(resnext50()).value();
  const ConvShape& grouped = design.stages[1][1].convs[1].shape;
  EXPECT_EQ(grouped.groups, 32);
  EXPECT_EQ(grouped.out, 256);
  const std::vector<TensorSpec> specs = trunk_specs(design);
  for (const TensorSpec& spec : specs) {
    if (spec.name == "layer2.1.conv2.weight") {
      EXPECT_THAT(spec.shape, ElementsAre(256, 8, 3, 3));
      // kaiming_normal_(mode="fan_out") does not divide by the groups either.
      EXPECT_EQ(spec.fan, 9 * 256);
    }
  }
}

TEST(ResNetDesign, NamesTheOptionThatIsOutOfRange) {
  const auto message = [](const ResNetOptions& options) {
    const Result<TrunkDesign> design = design_resnet(options);
    return design.ok() ? "ok" : design.error().message;
  };
  ResNetOptions options;
  options.depths = {3, 4, 6};
  EXPECT_EQ(
      message(options),
      "trunk option depths must be four numbers of at least 1");
  options.depths = {3, 4, 0, 3};
  EXPECT_EQ(
      message(options),
      "trunk option depths must be four numbers of at least 1");
  options = {};
  options.widen = 0;
  EXPECT_EQ(message(options), "trunk option widen must be at least 1");
  options = resnet18();
  options.groups = 2;
  EXPECT_EQ(
      message(options),
      "trunk option block must be bottleneck with groups or another "
      "width_per_group");
  options = resnext50();
  options.widen = 2;
  EXPECT_EQ(
      message(options),
      "trunk option widen must be 1 with groups, another width_per_group or "
      "the stem cifar");
}

}  // namespace
}  // namespace swavd::trainer
