#pragma once

#include <string>

#include "trainer/model/regnet_design.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// The text of a `config.json` with which Hugging Face's
/// `RegNetModel.from_pretrained` builds this trunk.
[[nodiscard]] std::string hf_config_json(
    const RegNetDesign& design,
    const RegNetOptions& options);

/// The text of a `preprocessor_config.json` (CLIPImageProcessor) that makes
/// the evaluation views: short side resized to `eval_resize` (bilinear),
/// centre crop of `eval_size`, scaled to [0, 1], normalised.
[[nodiscard]] std::string hf_preprocessor_json(const TrainerOptions& options);

}  // namespace swavd::trainer
