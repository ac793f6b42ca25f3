#include "trainer/model/timm_config.h"

#include <cmath>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/base/check.h"

namespace swavd::trainer {

namespace {

/// The share of the short side that the centre crop keeps, rounded down: timm
/// divides by it and rounds down again.
double crop_share(const TrainerOptions& options) {
  constexpr double kSteps = 1e6;
  return std::floor(kSteps * options.eval_size / options.eval_resize) / kSteps;
}

}  // namespace

std::string timm_config_json(
    const TrunkDesign& design,
    const TrainerOptions& options) {
  const auto* resnet = std::get_if<ResNetOptions>(&options.trunk);
  SWAVD_CHECK(resnet != nullptr);
  // The architecture settles the kind of block, the arguments all the rest.
  return fmt::format(
      R"({{
  "architecture": "{architecture}",
  "num_classes": 0,
  "num_features": {features},
  "global_pool": "avg",
  "model_args": {{
    "layers": [{layers}],
    "cardinality": {groups},
    "base_width": {width_per_group}
  }},
  "pretrained_cfg": {{
    "num_classes": 0,
    "input_size": [3, {size}, {size}],
    "fixed_input_size": false,
    "interpolation": "bilinear",
    "crop_pct": {crop_share},
    "crop_mode": "center",
    "mean": [{mean}],
    "std": [{std}],
    "first_conv": "conv1",
    "classifier": "fc"
  }},
  "tensor_names": "timm",
  "stem": "{stem}"
}}
)",
      fmt::arg(
          "architecture",
          resnet->block == ResNetBlock::kBasic ? "resnet18" : "resnet50"),
      fmt::arg("features", design.features()),
      fmt::arg("layers", fmt::join(design.depths(), ", ")),
      fmt::arg("groups", resnet->groups),
      fmt::arg("width_per_group", resnet->width_per_group),
      fmt::arg("size", options.eval_size),
      fmt::arg("crop_share", crop_share(options)),
      fmt::arg("mean", fmt::join(options.mean, ", ")),
      fmt::arg("std", fmt::join(options.std, ", ")),
      fmt::arg(
          "stem",
          resnet->stem == ResNetStem::kCifar
              ? fmt::format(
                    "Conv2d(3, {}, 3, stride=1, padding=1, bias=False), no "
                    "pooling",
                    design.stem.shape.out)
              : "as the architecture has it"));
}

}  // namespace swavd::trainer
