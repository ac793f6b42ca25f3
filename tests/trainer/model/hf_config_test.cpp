#include "trainer/model/hf_config.h"

#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace swavd::trainer {
namespace {

nlohmann::json config_of(const TrunkOptions& options) {
  return nlohmann::json::parse(
      hf_config_json(design_trunk(options).value(), options));
}

TEST(HfConfig, IsThatOfThePublishedSeerModel) {
  // facebook/regnet-y-1280-seer, without the version of transformers.
  const auto published = nlohmann::json::parse(R"({
    "architectures": ["RegNetModel"], "depths": [2, 7, 17, 1],
    "downsample_in_first_stage": true, "embedding_size": 32,
    "groups_width": 264, "hidden_act": "relu",
    "hidden_sizes": [528, 1056, 2904, 7392], "layer_type": "y",
    "model_type": "regnet", "num_channels": 3, "torch_dtype": "float32"})");
  EXPECT_EQ(config_of(RegNetOptions{27, 456, 160.83, 2.52, 264}), published);
}

TEST(HfConfig, TellsTheTypesOfRegNetApart) {
  RegNetOptions options;
  options.type = RegNetType::kX;
  EXPECT_EQ(config_of(options)["layer_type"], "x");
}

TEST(HfConfig, OfAResNetNamesItsBlocksAndItsWidths) {
  // microsoft/resnet-50's, as far as it decides the architecture.
  const auto published = nlohmann::json::parse(R"({
    "architectures": ["ResNetModel"], "depths": [3, 4, 6, 3],
    "downsample_in_bottleneck": false, "downsample_in_first_stage": false,
    "embedding_size": 64, "hidden_act": "relu",
    "hidden_sizes": [256, 512, 1024, 2048], "layer_type": "bottleneck",
    "model_type": "resnet", "num_channels": 3, "torch_dtype": "float32"})");
  EXPECT_EQ(config_of(ResNetOptions{}), published);

  ResNetOptions wide;
  wide.widen = 2;
  EXPECT_EQ(config_of(wide)["embedding_size"], 128);
  EXPECT_EQ(
      config_of(wide)["hidden_sizes"],
      (std::vector<int>{512, 1024, 2048, 4096}));

  ResNetOptions basic;
  basic.block = ResNetBlock::kBasic;
  basic.depths = {2, 2, 2, 2};
  EXPECT_EQ(config_of(basic)["layer_type"], "basic");
  EXPECT_EQ(
      config_of(basic)["hidden_sizes"], (std::vector<int>{64, 128, 256, 512}));
}

TEST(HfConfig, PreprocessorDescribesTheEvaluationView) {
  TrainerOptions options;
  options.eval_resize = 72;
  options.eval_size = 64;
  options.mean = {0.5, 0.25, 0.125};
  const auto config = nlohmann::json::parse(hf_preprocessor_json(options));
  EXPECT_EQ(config["image_processor_type"], "CLIPImageProcessor");
  EXPECT_EQ(config["size"]["shortest_edge"], 72);
  EXPECT_EQ(config["crop_size"]["height"], 64);
  EXPECT_EQ(config["crop_size"]["width"], 64);
  EXPECT_EQ(config["resample"], 2);
  EXPECT_DOUBLE_EQ(config["rescale_factor"].get<double>() * 255.0, 1.0);
  EXPECT_EQ(config["image_mean"], (std::vector<double>{0.5, 0.25, 0.125}));
  EXPECT_EQ(config["image_std"], (std::vector<double>{0.229, 0.224, 0.225}));
}

}  // namespace
}  // namespace swavd::trainer
