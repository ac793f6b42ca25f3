#include "trainer/model/hf_config.h"

#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swavd::trainer {

namespace {

// groups = max(1, width / groups_width) there, so the unadjusted group width
// serves stages that are narrower than it, too.
std::string regnet_json(
    const TrunkDesign& design,
    const RegNetOptions& options) {
  return fmt::format(
      R"({{
  "architectures": ["RegNetModel"],
  "depths": [{}],
  "downsample_in_first_stage": true,
  "embedding_size": {},
  "groups_width": {},
  "hidden_act": "relu",
  "hidden_sizes": [{}],
  "layer_type": "{}",
  "model_type": "regnet",
  "num_channels": 3,
  "torch_dtype": "float32"
}}
)",
      fmt::join(design.depths(), ", "),
      design.stem.shape.out,
      options.group_width,
      fmt::join(design.widths(), ", "),
      options.type == RegNetType::kY ? "y" : "x");
}

std::string resnet_json(
    const TrunkDesign& design,
    const ResNetOptions& options) {
  return fmt::format(
      R"({{
  "architectures": ["ResNetModel"],
  "depths": [{}],
  "downsample_in_bottleneck": false,
  "downsample_in_first_stage": false,
  "embedding_size": {},
  "hidden_act": "relu",
  "hidden_sizes": [{}],
  "layer_type": "{}",
  "model_type": "resnet",
  "num_channels": 3,
  "torch_dtype": "float32"
}}
)",
      fmt::join(design.depths(), ", "),
      design.stem.shape.out,
      fmt::join(design.widths(), ", "),
      options.block == ResNetBlock::kBasic ? "basic" : "bottleneck");
}

}  // namespace

std::string hf_config_json(
    const TrunkDesign& design,
    const TrunkOptions& options) {
  const auto* resnet = std::get_if<ResNetOptions>(&options);
  return resnet == nullptr
             ? regnet_json(design, std::get<RegNetOptions>(options))
             : resnet_json(design, *resnet);
}

std::string hf_preprocessor_json(const TrainerOptions& options) {
  constexpr int kBilinear = 2;  // PIL.Image.Resampling.BILINEAR
  return fmt::format(
      R"({{
  "crop_size": {{"height": {0}, "width": {0}}},
  "do_center_crop": true,
  "do_convert_rgb": true,
  "do_normalize": true,
  "do_rescale": true,
  "do_resize": true,
  "image_mean": [{1}],
  "image_processor_type": "CLIPImageProcessor",
  "image_std": [{2}],
  "resample": {3},
  "rescale_factor": {4},
  "size": {{"shortest_edge": {5}}}
}}
)",
      options.eval_size,
      fmt::join(options.mean, ", "),
      fmt::join(options.std, ", "),
      kBilinear,
      1.0 / 255.0,
      options.eval_resize);
}

}  // namespace swavd::trainer
