// Files of other programs: which layout, and what each tensor is.
#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/layouts.h"
#include "tests/state/regnet_sample.h"

namespace swavd::state {
namespace {

using testing::HasSubstr;

const SampleTrunk kTrunk = {{1, 3, 2, 1}, {8, 16, 24, 32}, 8};

/// The trunk's names in a layout, each behind `prefix`.
std::vector<std::string> trunk_in(Layout layout, const std::string& prefix) {
  std::vector<std::string> names;
  for (const SampleTensor& tensor : trunk_tensors(kTrunk)) {
    const auto name =
        rename(kTrunk.family, tensor.name, Layout::kHuggingFace, layout);
    names.push_back(prefix + name.value());
  }
  return names;
}

std::vector<std::string> hf_names() {
  return trunk_in(Layout::kHuggingFace, "");
}

/// What a file's names are, one by one.
std::vector<std::string> own_names(const ForeignNames& found) {
  std::vector<std::string> names;
  for (const ForeignName& name : found.names) {
    names.push_back(name.name);
  }
  return names;
}

TEST(Recognise, EveryLayoutBehindEveryPrefix) {
  for (const Layout layout : kLayouts) {
    for (const std::string prefix :
         {"",
          "module.",
          "regnet.",
          "trunk.",
          "backbone.model.",
          "classy_state_dict.base_model.model.trunk."}) {
      const auto found =
          recognise_names(kTrunk.family, trunk_in(layout, prefix));
      ASSERT_TRUE(found.ok()) << found.error().message;
      EXPECT_EQ(found.value().layout, layout) << prefix;
      EXPECT_EQ(found.value().prefix, prefix);
      EXPECT_EQ(own_names(found.value()), hf_names());
    }
  }
}

TEST(Recognise, GroupsOfShardedTrainingArePassedOver) {
  auto names =
      trunk_in(Layout::kVissl, "classy_state_dict.base_model.model.trunk.");
  std::size_t moved = 0;
  for (std::string& name : names) {
    const std::size_t at = name.find(".block2-");
    if (at != std::string::npos) {
      name.insert(at, ".block2-part" + std::string(1, name[at + 8]));
      ++moved;
    }
  }
  ASSERT_GT(moved, 60U);
  const auto found = recognise_names(kTrunk.family, names);
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_EQ(own_names(found.value()), hf_names());
}

TEST(Recognise, HeadsOfVisslSwavAndOurs) {
  for (const auto& [projection, prototypes] :
       {std::pair(
            "classy_state_dict.base_model.model.heads.0.projection_head.3.bias",
            "classy_state_dict.base_model.model.heads.0.prototypes0.weight"),
        std::pair("heads.0.projection_head.3.bias", "0.prototypes0.weight"),
        std::pair("module.projection_head.3.bias", "module.prototypes.weight"),
        std::pair("projection_head.3.bias", "prototypes.weight")}) {
    auto names = trunk_in(Layout::kVissl, "");
    names.emplace_back(projection);
    names.emplace_back(prototypes);
    const auto found = recognise_names(kTrunk.family, names);
    ASSERT_TRUE(found.ok()) << found.error().message;
    const ForeignName& prototype = found.value().names.back();
    EXPECT_EQ(prototype.part, ForeignPart::kPrototypes) << prototypes;
    EXPECT_EQ(prototype.name, "prototypes.weight");
    const ForeignName& layer = found.value().names.rbegin()[1];
    EXPECT_EQ(layer.part, ForeignPart::kHead) << projection;
    EXPECT_EQ(layer.name, "projection_head.3.bias");
  }
}

TEST(Recognise, EverySetOfPrototypesHasItsNumber) {
  for (const std::string front :
       {"classy_state_dict.base_model.model.heads.0.prototypes",
        "0.prototypes",
        "module.prototypes.prototypes",
        "prototypes."}) {
    auto names = trunk_in(Layout::kVissl, "");
    for (const char* number : {"0", "1", "10"}) {
      names.push_back(front + number + ".weight");
    }
    const auto found = recognise_names(kTrunk.family, names);
    ASSERT_TRUE(found.ok()) << found.error().message;
    const auto own = own_names(found.value());
    EXPECT_EQ(found.value().names.back().part, ForeignPart::kPrototypes);
    EXPECT_THAT(
        std::vector<std::string>(own.end() - 3, own.end()),
        testing::ElementsAre(
            "prototypes.0.weight",
            "prototypes.1.weight",
            "prototypes.10.weight"))
        << front;
  }
}

TEST(Recognise, WhatOnlyLooksLikePrototypesIsNone) {
  for (const char* name :
       {"prototypes",
        "prototypes.bias",
        "prototypes1.bias",
        "myprototypes1.weight",
        "prototypes.1.2.weight",
        "prototypes-1.weight",
        "prototypes99999999999999999999.weight"}) {
    auto names = hf_names();
    names.emplace_back(name);
    const auto found = recognise_names(kTrunk.family, names);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found.value().names.back().part, ForeignPart::kUnknown) << name;
  }
}

TEST(Recognise, OneSetTwiceIsRefusedByName) {
  auto names = hf_names();
  names.emplace_back("0.prototypes1.weight");
  names.emplace_back("prototypes.1.weight");
  const auto found = recognise_names(kTrunk.family, names);
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(found.error().message, HasSubstr("0.prototypes1.weight"));
  EXPECT_THAT(found.error().message, HasSubstr("both prototypes.1.weight"));
}

TEST(Recognise, ClassifiersAndWhatHasNoMeaning) {
  for (const auto& [layout, prefix, name] :
       {std::tuple(Layout::kHuggingFace, "regnet.", "classifier.1.weight"),
        std::tuple(Layout::kTorchvision, "", "fc.bias"),
        std::tuple(Layout::kTimm, "", "head.fc.weight"),
        std::tuple(Layout::kVissl, "trunk.", "heads.0.clf.0.weight")}) {
    auto names = trunk_in(layout, prefix);
    names.emplace_back(name);
    names.emplace_back("loss.queue");
    const auto found = recognise_names(kTrunk.family, names);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found.value().names.rbegin()[1].part, ForeignPart::kClassifier);
    EXPECT_EQ(found.value().names.back().part, ForeignPart::kUnknown);
    EXPECT_EQ(found.value().names.back().name, "");
  }
}

TEST(Recognise, TwoTrunksOrTwoHeadsAreRefusedByName) {
  auto names = trunk_in(Layout::kTimm, "student.");
  const auto teacher = trunk_in(Layout::kTimm, "teacher.");
  names.insert(names.end(), teacher.begin(), teacher.end());
  const auto trunks = recognise_names(kTrunk.family, names);
  ASSERT_FALSE(trunks.ok());
  EXPECT_THAT(trunks.error().message, HasSubstr("student."));
  EXPECT_THAT(trunks.error().message, HasSubstr("teacher."));

  names = trunk_in(Layout::kVissl, "trunk.");
  names.emplace_back("heads.0.projection_head.0.weight");
  names.emplace_back("heads.1.projection_head.0.weight");
  const auto heads = recognise_names(kTrunk.family, names);
  ASSERT_FALSE(heads.ok());
  EXPECT_THAT(heads.error().message, HasSubstr("heads.1."));
}

TEST(Recognise, AFileWithoutSuchATrunkSaysWhatItBeginsWith) {
  const std::vector<std::string> names = {
      "conv1.weight", "layer1.0.conv1.weight", "fc.weight"};
  const auto found = recognise_names(kTrunk.family, names);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(found.error().message, HasSubstr("conv1.weight"));
  EXPECT_FALSE(recognise_names(kTrunk.family, {}).ok());
  // A stem alone is no trunk.
  const std::vector<std::string> stem = {"stem.conv.weight"};
  EXPECT_FALSE(recognise_names(kTrunk.family, stem).ok());
}

}  // namespace
}  // namespace swavd::state
