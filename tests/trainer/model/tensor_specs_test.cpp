#include "trainer/model/tensor_specs.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "tests/trainer/model/published_models.h"
#include "trainer/model/regnet_design.h"

namespace swavd::trainer {
namespace {

std::int64_t parameters_below(
    const std::vector<TensorSpec>& specs,
    const std::string& prefix) {
  std::int64_t count = 0;
  for (const TensorSpec& spec : specs) {
    if (spec.role == Role::kParameter && spec.name.starts_with(prefix)) {
      count += element_count(spec);
    }
  }
  return count;
}

void expect_published_counts(const std::vector<PublishedTrunk>& trunks) {
  for (const PublishedTrunk& trunk : trunks) {
    const TrunkDesign design = design_trunk(trunk.options).value();
    const std::vector<TensorSpec> specs = trunk_specs(design);
    EXPECT_EQ(parameters_below(specs, ""), trunk.parameters) << trunk.name;
    EXPECT_EQ(
        trunk.parameters + 1000 * (design.features() + 1),
        trunk.with_classifier)
        << trunk.name;
    EXPECT_EQ(static_cast<std::int64_t>(specs.size()), trunk.state_keys)
        << trunk.name;
    for (std::size_t s = 0; s < trunk.stages.size(); ++s) {
      const std::string prefix = "encoder.stages." + std::to_string(s) + ".";
      EXPECT_EQ(parameters_below(specs, prefix), trunk.stages[s])
          << trunk.name << " stage " << s + 1;
    }
  }
}

TEST(TensorSpecs, RegNetsOfTypeYHaveThePublishedCounts) {
  expect_published_counts(published_regnet_y());
}

TEST(TensorSpecs, RegNetsOfTypeXHaveThePublishedCounts) {
  expect_published_counts(published_regnet_x());
}

TEST(TensorSpecs, ResNetsHaveThePublishedCounts) {
  expect_published_counts(published_resnets());
}

TEST(TensorSpecs, RegNetsOfTypeYHaveTheKnownNumberOfTensors) {
  for (const PublishedTrunk& trunk : published_regnet_y()) {
    const std::vector<TensorSpec> specs =
        trunk_specs(design_trunk(trunk.options).value());
    const auto blocks =
        static_cast<std::size_t>(std::get<RegNetOptions>(trunk.options).depth);
    const auto of_role = [&](Role role) {
      return static_cast<std::size_t>(std::count_if(
          specs.begin(), specs.end(), [role](const TensorSpec& spec) {
            return spec.role == role;
          }));
    };
    // One shortcut for each of four stages.
    EXPECT_EQ(specs.size(), 30 + 22 * blocks) << trunk.name;
    EXPECT_EQ(of_role(Role::kParameter), 15 + 13 * blocks) << trunk.name;
    EXPECT_EQ(of_role(Role::kCounter), 5 + 3 * blocks) << trunk.name;
    EXPECT_EQ(parameters_below(specs, "embedder."), 928) << trunk.name;
  }
}

// Widths that no generator gives, of the larger trunks in VISSL and of the two
// that torchvision rounds otherwise.
TEST(TensorSpecs, RegNetsGivenByTheirWidthsHaveThePublishedCounts) {
  const auto parameters = [](std::vector<StageDesign> stages) {
    RegNetDesign design;
    design.stages = std::move(stages);
    return parameters_below(trunk_specs(lay_out_regnet(design)), "");
  };
  EXPECT_EQ(
      parameters(
          {{1, 1840, 920}, {4, 3680, 920}, {4, 10120, 920}, {1, 25760, 920}}),
      3100764796);
  EXPECT_EQ(
      parameters(
          {{3, 1840, 920}, {10, 3680, 920}, {23, 10120, 920}, {1, 25760, 920}}),
      9992464786);
  EXPECT_EQ(
      parameters({{1, 64, 16}, {3, 144, 16}, {8, 320, 16}, {2, 784, 16}}) +
          785000,
      6432512);
  EXPECT_EQ(
      parameters({{2, 224, 56}, {4, 448, 56}, {10, 896, 56}, {1, 2016, 56}}) +
          2017000,
      39381472);
}

TEST(TensorSpecs, NamesAreUniqueAndShapesFollowTheBlockInput) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  const std::vector<TensorSpec> specs = trunk_specs(
      design_trunk(RegNetOptions{27, 640, 230.83, 2.53, 373}).value());
  for (const TensorSpec& spec : specs) {
    EXPECT_TRUE(shapes.emplace(spec.name, spec.shape).second) << spec.name;
  }
  using Shape = std::vector<std::int64_t>;
  EXPECT_EQ(
      shapes.at("embedder.embedder.convolution.weight"), (Shape{32, 3, 3, 3}));
  const std::string first = "encoder.stages.1.layers.0.";
  EXPECT_EQ(
      shapes.at(first + "layer.1.convolution.weight"),
      (Shape{1492, 373, 3, 3}));
  // 746 / 4 rounds to the even 186.
  EXPECT_EQ(
      shapes.at(first + "layer.2.attention.0.weight"),
      (Shape{186, 1492, 1, 1}));
  EXPECT_EQ(shapes.at(first + "layer.2.attention.0.bias"), (Shape{186}));
  EXPECT_EQ(
      shapes.at(first + "shortcut.convolution.weight"),
      (Shape{1492, 746, 1, 1}));
  EXPECT_EQ(
      shapes.at(first + "shortcut.normalization.num_batches_tracked"), Shape{});
  EXPECT_FALSE(
      shapes.contains("encoder.stages.1.layers.1.shortcut.convolution.weight"));
}

TEST(TensorSpecs, HeadPositionsLeaveRoomForTheLayersBetween) {
  const auto names = [](bool batch_norm) {
    HeadOptions options;
    options.hidden = {4, 5};
    options.out = 6;
    options.prototypes = {7};
    options.batch_norm = batch_norm;
    std::vector<std::string> result;
    for (const TensorSpec& spec : head_specs(3, options)) {
      if (spec.name.ends_with(".weight")) {
        result.push_back(spec.name);
      }
    }
    return result;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(
      names(true),
      (Names{
          "projection_head.0.weight",
          "projection_head.1.weight",
          "projection_head.3.weight",
          "projection_head.4.weight",
          "projection_head.6.weight",
          "prototypes.weight"}));
  EXPECT_EQ(
      names(false),
      (Names{
          "projection_head.0.weight",
          "projection_head.2.weight",
          "projection_head.4.weight",
          "prototypes.weight"}));
}

TEST(TensorSpecs, SeveralSetsOfPrototypesAreNumberedAndOneIsNot) {
  HeadOptions options;
  options.out = 6;
  const auto prototypes = [&] {
    std::vector<TensorSpec> found;
    for (const TensorSpec& spec : head_specs(3, options)) {
      EXPECT_TRUE(is_head_tensor(spec.name)) << spec.name;
      if (!spec.name.starts_with("projection_head.")) {
        found.push_back(spec);
      }
    }
    return found;
  };
  options.prototypes = {7};
  ASSERT_EQ(prototypes().size(), 1U);
  EXPECT_EQ(prototypes()[0].name, "prototypes.weight");
  options.prototypes = {7, 9};
  ASSERT_EQ(prototypes().size(), 2U);
  EXPECT_EQ(prototypes()[0].name, "prototypes.0.weight");
  EXPECT_EQ(prototypes()[0].shape, (std::vector<std::int64_t>{7, 6}));
  EXPECT_EQ(prototypes()[1].name, "prototypes.1.weight");
  EXPECT_EQ(prototypes()[1].shape, (std::vector<std::int64_t>{9, 6}));
}

TEST(TensorSpecs, ModelsHaveThePublishedParameterCounts) {
  for (const PublishedModel& model : published_models()) {
    const TrunkDesign trunk = design_trunk(model.trunk).value();
    const std::vector<TensorSpec> head =
        head_specs(trunk.features(), model.head);
    EXPECT_EQ(parameters_below(head, "projection"), model.projection)
        << model.name;
    EXPECT_EQ(parameters_below(head, ""), model.with_prototypes) << model.name;
    EXPECT_EQ(
        parameters_below(head, "") + parameters_below(trunk_specs(trunk), ""),
        model.whole)
        << model.name;
  }
}

}  // namespace
}  // namespace swavd::trainer
