#include "trainer/model/timm_config.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace swavd::trainer {
namespace {

nlohmann::json timm_config_of(const TrainerOptions& options) {
  return nlohmann::json::parse(
      timm_config_json(design_trunk(options.trunk).value(), options));
}

TEST(TimmConfig, OfAResNeXtGivesTimmWhatItBuildsItFrom) {
  ResNetOptions resnext;
  resnext.depths = {3, 4, 23, 3};
  resnext.groups = 32;
  resnext.width_per_group = 8;
  TrainerOptions options;
  options.trunk = resnext;
  const nlohmann::json config = timm_config_of(options);
  EXPECT_EQ(config["architecture"], "resnet50");
  EXPECT_EQ(config["num_features"], 2048);
  EXPECT_EQ(config["num_classes"], 0);
  EXPECT_EQ(
      config["model_args"],
      nlohmann::json::parse(
          R"({"layers": [3, 4, 23, 3], "cardinality": 32, "base_width": 8})"));
  EXPECT_EQ(config["tensor_names"], "timm");
  EXPECT_EQ(config["stem"], "as the architecture has it");
}

TEST(TimmConfig, SaysWhichStemToPutIn) {
  ResNetOptions small;
  small.block = ResNetBlock::kBasic;
  small.depths = {2, 2, 2, 2};
  small.stem = ResNetStem::kCifar;
  TrainerOptions options;
  options.trunk = small;
  const nlohmann::json config = timm_config_of(options);
  EXPECT_EQ(config["architecture"], "resnet18");
  EXPECT_EQ(
      config["stem"],
      "Conv2d(3, 64, 3, stride=1, padding=1, bias=False), no pooling");
}

// timm resizes the short side to floor(size / crop_pct).
TEST(TimmConfig, LeadsTimmToTheSizesOfTheEvaluationView) {
  TrainerOptions options;
  options.trunk = ResNetOptions{};
  for (const auto& [resize, size] :
       {std::pair(256, 224),
        std::pair(72, 64),
        std::pair(32, 32),
        std::pair(439, 384),
        std::pair(48, 40)}) {
    options.eval_resize = resize;
    options.eval_size = size;
    const nlohmann::json view = timm_config_of(options)["pretrained_cfg"];
    EXPECT_EQ(view["input_size"], (std::vector<int>{3, size, size}));
    EXPECT_EQ(std::floor(size / view["crop_pct"].get<double>()), resize)
        << size;
    EXPECT_EQ(view["interpolation"], "bilinear");
    EXPECT_EQ(view["std"], (std::vector<double>{0.229, 0.224, 0.225}));
  }
}

}  // namespace
}  // namespace swavd::trainer
