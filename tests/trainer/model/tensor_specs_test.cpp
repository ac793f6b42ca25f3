#include "trainer/model/tensor_specs.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

struct CountedNet {
  std::string name;
  RegNetOptions options;
  std::int64_t trunk = 0;
  std::vector<std::int64_t> stages;  ///< empty where not published
};

// Parameter counts of trunks without classifier (reference: ClassyVision's
// widths; the totals plus a classifier are those torchvision and timm publish).
const CountedNet kCounted[] = {
    {"200MF",
     {13, 24, 36.44, 2.49, 8},
     2793996,
     {4448, 11038, 266128, 2511454}},
    {"400MF",
     {16, 48, 27.89, 2.09, 8},
     3903144,
     {10040, 102296, 737438, 3052442}},
    {"600MF", {15, 48, 32.54, 2.32, 16}, 5446160, {}},
    {"800MF",
     {14, 56, 38.84, 2.4, 16},
     5494168,
     {19016, 177104, 2384592, 2912528}},
    {"1.6GF", {27, 48, 20.71, 2.65, 24}, 10313430, {}},
    {"3.2GF", {21, 80, 42.63, 2.66, 24}, 17923338, {}},
    {"4GF", {22, 96, 31.41, 2.24, 64}, 19557656, {}},
    {"6.4GF", {25, 112, 33.22, 2.27, 72}, 29286252, {}},
    {"8GF",
     {17, 192, 76.82, 2.19, 56},
     37163068,
     {284306, 2811130, 24452176, 9614528}},
    {"12GF", {19, 168, 73.36, 2.37, 112}, 49581544, {}},
    {"16GF",
     {18, 200, 106.23, 2.48, 112},
     80565140,
     {648768, 3777032, 54604200, 21534212}},
    {"32GF",
     {20, 232, 115.89, 2.53, 232},
     141333770,
     {1179554, 13025002, 92647170, 34481116}},
    {"64GF",
     {20, 352, 147.48, 2.4, 328},
     276457786,
     {2344634, 26019010, 185111802, 62981412}},
    {"128GF",
     {27, 456, 160.83, 2.52, 264},
     637419894,
     {3535628, 36855060, 471090048, 125938230}},
    {"256GF",
     {27, 640, 230.83, 2.53, 373},
     1272156138,
     {7027514, 73537136, 940223342, 251367218}},
    {"10B",
     {27, 1744, 620.83, 2.52, 1010},
     9323934872,
     {51199433, 538825405, 6891322928, 1842586178}},
    {"256GF of ClassyVision", {27, 640, 124.47, 2.04, 848}, 821051008, {}},
};

std::vector<TensorSpec> specs_of(const RegNetOptions& options) {
  return trunk_specs(design_regnet(options).value());
}

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

TEST(TensorSpecs, TrunksHaveThePublishedParameterCounts) {
  for (const CountedNet& net : kCounted) {
    const std::vector<TensorSpec> specs = specs_of(net.options);
    EXPECT_EQ(parameters_below(specs, ""), net.trunk) << net.name;
    EXPECT_EQ(parameters_below(specs, "embedder."), 928) << net.name;
    for (std::size_t s = 0; s < net.stages.size(); ++s) {
      const std::string prefix = "encoder.stages." + std::to_string(s) + ".";
      EXPECT_EQ(parameters_below(specs, prefix), net.stages[s])
          << net.name << " stage " << s + 1;
    }
  }
}

TEST(TensorSpecs, TrunksHaveTheKnownNumberOfTensors) {
  for (const CountedNet& net : kCounted) {
    const std::vector<TensorSpec> specs = specs_of(net.options);
    const auto blocks = static_cast<std::size_t>(net.options.depth);
    const auto of_role = [&](Role role) {
      return static_cast<std::size_t>(std::count_if(
          specs.begin(), specs.end(), [role](const TensorSpec& spec) {
            return spec.role == role;
          }));
    };
    // One shortcut for each of four stages.
    EXPECT_EQ(specs.size(), 30 + 22 * blocks) << net.name;
    EXPECT_EQ(of_role(Role::kParameter), 15 + 13 * blocks) << net.name;
    EXPECT_EQ(of_role(Role::kCounter), 5 + 3 * blocks) << net.name;
  }
}

TEST(TensorSpecs, NamesAreUniqueAndShapesFollowTheBlockInput) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  const std::vector<TensorSpec> specs = specs_of({27, 640, 230.83, 2.53, 373});
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

TEST(TensorSpecs, HeadsHaveThePublishedParameterCounts) {
  HeadOptions seer;  // SEER's head on RegNetY-8GF and on 128GF
  seer.hidden = {4096, 4096};
  seer.out = 256;
  seer.prototypes = {16000};
  EXPECT_EQ(parameters_below(head_specs(2016, seer), "projection"), 26108160);
  EXPECT_EQ(parameters_below(head_specs(2016, seer), ""), 30204160);
  seer.hidden = {8192, 8192};
  seer.batch_norm = false;
  EXPECT_EQ(parameters_below(head_specs(7392, seer), "projection"), 129777920);
}

}  // namespace
}  // namespace swavd::trainer
