#pragma once

#include <string>

#include "trainer/model/trunk_design.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// The text of the `config.json` for a ResNet with timm's names, as timm writes
/// it for its hub: `timm.create_model("local-dir:FOLDER", pretrained=True)`
/// builds the trunk from it, preprocessing included (its centre crop may lie a
/// pixel beside ours). timm has no stem for small pictures: there `stem` says
/// what to put in place of `conv1` and `maxpool` before the weights are loaded.
/// Aborts for a RegNet.
[[nodiscard]] std::string timm_config_json(
    const TrunkDesign& design,
    const TrainerOptions& options);

}  // namespace swavd::trainer
