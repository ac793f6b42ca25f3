#include "trainer/model/hf_config.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swavd::trainer {

std::string hf_config_json(
    const RegNetDesign& design,
    const RegNetOptions& options) {
  std::vector<std::int64_t> depths;
  std::vector<std::int64_t> widths;
  for (const StageDesign& stage : design.stages) {
    depths.push_back(stage.depth);
    widths.push_back(stage.width);
  }
  // groups = max(1, width / groups_width) there, so the unadjusted group
  // width serves stages that are narrower than it, too.
  return fmt::format(
      R"({{
  "architectures": ["RegNetModel"],
  "depths": [{}],
  "downsample_in_first_stage": true,
  "embedding_size": {},
  "groups_width": {},
  "hidden_act": "relu",
  "hidden_sizes": [{}],
  "layer_type": "y",
  "model_type": "regnet",
  "num_channels": 3,
  "torch_dtype": "float32"
}}
)",
      fmt::join(depths, ", "),
      design.stem_width,
      options.group_width,
      fmt::join(widths, ", "));
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
