#include "state/layouts.h"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::state {
namespace {

const std::vector<std::string> kNorm =
    {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"};

/// Names of every tensor of a RegNetY with these depths, Hugging Face style.
std::vector<std::string> all_names(const std::vector<int>& depths) {
  std::vector<std::string> names;
  const auto convolution = [&](const std::string& at) {
    names.push_back(at + ".convolution.weight");
    for (const std::string& leaf : kNorm) {
      names.push_back(at + ".normalization." + leaf);
    }
  };
  convolution("embedder.embedder");
  for (std::size_t stage = 0; stage < depths.size(); ++stage) {
    for (int i = 0; i < depths[stage]; ++i) {
      const std::string block = "encoder.stages." + std::to_string(stage) +
                                ".layers." + std::to_string(i) + ".";
      if (i == 0) {
        convolution(block + "shortcut");
      }
      for (const char* layer : {"layer.0", "layer.1", "layer.3"}) {
        convolution(block + layer);
      }
      for (const char* part : {"0.weight", "0.bias", "2.weight", "2.bias"}) {
        names.push_back(block + "layer.2.attention." + part);
      }
    }
  }
  return names;
}

std::string to(Layout layout, const std::string& name) {
  const auto renamed = rename(name, layout);
  EXPECT_TRUE(renamed.ok()) << name;
  return renamed.ok() ? renamed.value() : "";
}

TEST(Layouts, EveryTensorOfASmallRegNetHasItsOwnNameInEach) {
  const auto names = all_names({2, 5, 12, 1});
  // 22 tensors a block, 6 more where there is a shortcut, 6 in the stem.
  ASSERT_EQ(names.size(), 20U * 22 + 4 * 6 + 6);
  for (const Layout layout :
       {Layout::kHuggingFace,
        Layout::kTorchvision,
        Layout::kTimm,
        Layout::kVissl}) {
    std::set<std::string> seen;
    for (const std::string& name : names) {
      seen.insert(to(layout, name));
    }
    EXPECT_EQ(seen.size(), names.size());
  }
}

TEST(Layouts, HuggingFaceNamesStay) {
  for (const std::string& name : all_names({1, 2, 1, 1})) {
    EXPECT_EQ(to(Layout::kHuggingFace, name), name);
  }
}

TEST(Layouts, NamesAreThoseOfTheLibraries) {
  struct Row {
    std::string hf, torchvision, timm, vissl;
  };

  const std::string b = "encoder.stages.2.layers.4.";
  const std::string tv = "trunk_output.block3.block3-4.";
  const std::string tm = "s3.b5.";
  const std::string vs = "_feature_blocks.res4.block3-4.";
  const std::vector<Row> rows = {
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
       vs + "f.final_bn.num_batches_tracked"},
      // Without squeeze-and-excitation the last convolution is layer.2.
      {b + "layer.2.convolution.weight",
       tv + "f.c.0.weight",
       tm + "conv3.conv.weight",
       vs + "f.c.weight"}};
  for (const Row& row : rows) {
    EXPECT_EQ(to(Layout::kTorchvision, row.hf), row.torchvision);
    EXPECT_EQ(to(Layout::kTimm, row.hf), row.timm);
    EXPECT_EQ(to(Layout::kVissl, row.hf), row.vissl);
  }
}

TEST(Layouts, ClassifierIsNoPartOfTheVisslTrunk) {
  EXPECT_EQ(to(Layout::kTorchvision, "classifier.1.weight"), "fc.weight");
  EXPECT_EQ(to(Layout::kTimm, "classifier.1.bias"), "head.fc.bias");
  EXPECT_FALSE(rename("classifier.1.weight", Layout::kVissl).ok());
}

TEST(Layouts, StrangeNamesAreRefused) {
  for (const std::string name :
       {"",
        "weight",
        "stem.0.weight",
        "encoder.stages.x.layers.0.layer.0.convolution.weight",
        "encoder.stages.0.layers.layer.0.convolution.weight",
        "encoder.stages.0.layers.0.layer.4.convolution.weight",
        "encoder.stages.0.layers.0.layer.0.convolution.momentum",
        "encoder.stages.0.layers.0.layer.0.convolution.weight.x"}) {
    const auto renamed = rename(name, Layout::kTimm);
    ASSERT_FALSE(renamed.ok()) << name;
    EXPECT_EQ(renamed.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace swavd::state
