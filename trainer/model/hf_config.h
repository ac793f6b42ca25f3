#pragma once

#include <string>

#include "trainer/model/trunk_design.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// The text of the `config.json` for a trunk with Hugging Face's names:
/// `RegNetModel.from_pretrained`, or ResNetModel's, builds the trunk from it.
[[nodiscard]] std::string hf_config_json(
    const TrunkDesign& design,
    const TrunkOptions& options);

/// The text of a `preprocessor_config.json` (CLIPImageProcessor) that makes
/// the evaluation views: short side resized to `eval_resize` (bilinear),
/// centre crop of `eval_size`, scaled to [0, 1], normalised.
[[nodiscard]] std::string hf_preprocessor_json(const TrainerOptions& options);

}  // namespace swavd::trainer
