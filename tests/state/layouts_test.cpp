#include "state/layouts.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/layouts/name_pattern.h"
#include "tests/state/regnet_sample.h"

namespace swavd::state {
namespace {

constexpr auto kHf = Layout::kHuggingFace;

std::vector<std::string> names_of_trunk(const SampleTrunk& trunk) {
  std::vector<std::string> names;
  for (const SampleTensor& tensor : trunk_tensors(trunk)) {
    names.push_back(tensor.name);
  }
  return names;
}

std::string must_rename(
    TrunkFamily family,
    const std::string& name,
    Layout from,
    Layout to) {
  const auto renamed = rename(family, name, from, to);
  EXPECT_TRUE(renamed.ok()) << name;
  return renamed.ok() ? renamed.value() : "";
}

class LayoutsOfATrunk : public ::testing::TestWithParam<SampleTrunk> {};

INSTANTIATE_TEST_SUITE_P(
    Shapes,
    LayoutsOfATrunk,
    ::testing::Values(
        SampleTrunk{{2, 5, 12, 1}, {232, 696, 1392, 3712}, 232},
        SampleTrunk{{1, 1, 4, 7}, {24, 56, 152, 368}, 8},
        SampleTrunk{{1, 2}, {8, 16}, 8},
        SampleTrunk{{11, 10}, {8, 16}, 8},
        SampleTrunk{
            {1, 1, 4, 7},
            {24, 56, 152, 368},
            8,
            TrunkFamily::kRegNetX}),
    [](const auto& name) { return "Trunk" + std::to_string(name.index); });

TEST_P(LayoutsOfATrunk, EveryTensorHasANameOfItsOwnInEach) {
  const auto names = names_of_trunk(GetParam());
  for (const Layout layout : kLayouts) {
    std::set<std::string> seen;
    for (const std::string& name : names) {
      seen.insert(must_rename(GetParam().family, name, kHf, layout));
    }
    EXPECT_EQ(seen.size(), names.size()) << to_string(layout);
  }
}

TEST_P(LayoutsOfATrunk, ThereAndBackIsTheSameNameBetweenAnyTwo) {
  const TrunkFamily family = GetParam().family;
  for (const std::string& name : names_of_trunk(GetParam())) {
    for (const Layout from : kLayouts) {
      const std::string one = must_rename(family, name, kHf, from);
      for (const Layout to : kLayouts) {
        const std::string other = must_rename(family, one, from, to);
        EXPECT_EQ(other, must_rename(family, name, kHf, to));
        EXPECT_EQ(must_rename(family, other, to, from), one);
      }
    }
  }
}

TEST(Layouts, CountsAreThoseOfTheLibraries) {
  // 30 + 22 D tensors of D blocks: RegNetY-400MF and 32GF.
  EXPECT_EQ(trunk_tensors({{1, 3, 6, 6}, {48, 104, 208, 440}}).size(), 382U);
  EXPECT_EQ(
      trunk_tensors({{2, 5, 12, 1}, {232, 696, 1392, 3712}}).size(), 470U);
}

struct LibraryNames {
  std::string hf, torchvision, timm, vissl;
};

void expect_names(TrunkFamily family, const LibraryNames& row) {
  EXPECT_EQ(
      must_rename(family, row.hf, kHf, Layout::kTorchvision), row.torchvision);
  EXPECT_EQ(must_rename(family, row.hf, kHf, Layout::kTimm), row.timm);
  EXPECT_EQ(must_rename(family, row.hf, kHf, Layout::kVissl), row.vissl);
}

TEST(Layouts, NamesAreThoseOfTheLibraries) {
  const std::string b = "encoder.stages.2.layers.4.";
  const std::string tv = "trunk_output.block3.block3-4.";
  const std::string tm = "s3.b5.";
  const std::string vs = "_feature_blocks.res4.block3-4.";
  const std::vector<LibraryNames> rows = {
      {"embedder.embedder.convolution.weight",
       "stem.0.weight",
       "stem.conv.weight",
       "_feature_blocks.conv1.stem.0.weight"},
      {"embedder.embedder.normalization.running_var",
       "stem.1.running_var",
       "stem.bn.running_var",
       "_feature_blocks.conv1.stem.1.running_var"},
      {b + "shortcut.convolution.weight",
       tv + "proj.0.weight",
       tm + "downsample.conv.weight",
       vs + "proj.weight"},
      {b + "shortcut.normalization.bias",
       tv + "proj.1.bias",
       tm + "downsample.bn.bias",
       vs + "bn.bias"},
      {b + "layer.0.convolution.weight",
       tv + "f.a.0.weight",
       tm + "conv1.conv.weight",
       vs + "f.a.0.weight"},
      {b + "layer.0.normalization.weight",
       tv + "f.a.1.weight",
       tm + "conv1.bn.weight",
       vs + "f.a.1.weight"},
      {b + "layer.1.convolution.weight",
       tv + "f.b.0.weight",
       tm + "conv2.conv.weight",
       vs + "f.b.0.weight"},
      {b + "layer.1.normalization.running_mean",
       tv + "f.b.1.running_mean",
       tm + "conv2.bn.running_mean",
       vs + "f.b.1.running_mean"},
      {b + "layer.2.attention.0.bias",
       tv + "f.se.fc1.bias",
       tm + "se.fc1.bias",
       vs + "f.se.excitation.0.bias"},
      {b + "layer.2.attention.2.weight",
       tv + "f.se.fc2.weight",
       tm + "se.fc2.weight",
       vs + "f.se.excitation.2.weight"},
      {b + "layer.3.convolution.weight",
       tv + "f.c.0.weight",
       tm + "conv3.conv.weight",
       vs + "f.c.weight"},
      {b + "layer.3.normalization.num_batches_tracked",
       tv + "f.c.1.num_batches_tracked",
       tm + "conv3.bn.num_batches_tracked",
       vs + "f.final_bn.num_batches_tracked"}};
  for (const LibraryNames& row : rows) {
    expect_names(TrunkFamily::kRegNetY, row);
  }
  // Without squeeze-and-excitation the last convolution is layer.2.
  expect_names(
      TrunkFamily::kRegNetX,
      {b + "layer.2.convolution.weight",
       tv + "f.c.0.weight",
       tm + "conv3.conv.weight",
       vs + "f.c.weight"});
}

TEST(Layouts, HeadIsRenamedForVisslOnly) {
  for (const SampleTensor& tensor : head_tensors(8)) {
    for (const Layout layout : {kHf, Layout::kTorchvision, Layout::kTimm}) {
      EXPECT_EQ(rename_head(tensor.name, layout).value(), tensor.name);
    }
  }
  EXPECT_EQ(
      rename_head("projection_head.3.weight", Layout::kVissl).value(),
      "0.projection_head.3.weight");
  EXPECT_EQ(
      rename_head("prototypes.weight", Layout::kVissl).value(),
      "0.prototypes0.weight");
  EXPECT_EQ(
      rename_head("prototypes.1.weight", Layout::kVissl).value(),
      "0.prototypes1.weight");
  EXPECT_FALSE(rename_head("stem.conv.weight", Layout::kVissl).ok());
}

TEST(Layouts, StrangeNamesAreRefused) {
  for (const std::string name :
       {"",
        "weight",
        "stem.0.weight",
        "classifier.1.weight",
        "encoder.stages.x.layers.0.layer.0.convolution.weight",
        "encoder.stages.0.layers.layer.0.convolution.weight",
        "encoder.stages.00.layers.0.layer.0.convolution.weight",
        "encoder.stages.0.layers.0.layer.4.convolution.weight",
        "encoder.stages.0.layers.0.layer.2.convolution.weight",
        "encoder.stages.0.layers.0.layer.0.convolution.momentum",
        "encoder.stages.0.layers.0.layer.0.convolution.weight.x"}) {
    const auto renamed =
        rename(TrunkFamily::kRegNetY, name, kHf, Layout::kTimm);
    ASSERT_FALSE(renamed.ok()) << name;
    EXPECT_EQ(renamed.error().code, ErrorCode::kInvalidArgument);
  }
  // Two stages in one name, and block 0 where they are counted from 1.
  EXPECT_FALSE(rename(
                   TrunkFamily::kRegNetY,
                   "trunk_output.block1.block2-0.f.a.0.weight",
                   Layout::kTorchvision,
                   kHf)
                   .ok());
  EXPECT_FALSE(
      rename(
          TrunkFamily::kRegNetY, "s1.b0.conv1.conv.weight", Layout::kTimm, kHf)
          .ok());
}

TEST(Layouts, WordsStandForLayouts) {
  for (const Layout layout : kLayouts) {
    EXPECT_EQ(layout_from(to_string(layout)), layout);
  }
  EXPECT_EQ(layout_from("keras"), std::nullopt);
}

TEST(NamePattern, UndoesWhatItFilled) {
  constexpr const char* kPattern = "a{s+1}.b{s+1}-{b}.c{s+2}.";
  for (unsigned stage = 0; stage < 12; ++stage) {
    for (unsigned block = 0; block < 30; ++block) {
      const std::string name = fill(kPattern, {stage, block}) + "rest";
      EXPECT_EQ(match(kPattern, name), (BlockMatch{{stage, block}, "rest"}));
    }
  }
  EXPECT_EQ(fill(kPattern, {2, 10}), "a3.b3-10.c4.");
  EXPECT_EQ(match(kPattern, "a3.b4-10.c4.rest"), std::nullopt);
  EXPECT_EQ(match(kPattern, "a0.b0-1.c1.rest"), std::nullopt);
  EXPECT_EQ(match(kPattern, "a03.b03-1.c04.rest"), std::nullopt);
  EXPECT_EQ(match(kPattern, "a3.b3-"), std::nullopt);
}

}  // namespace
}  // namespace swavd::state
