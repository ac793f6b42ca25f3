#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"
#include "state/layouts.h"

namespace swavd::state {

/// What a snapshot's config.json says of its trunk.
struct TrunkShape {
  TrunkFamily family = TrunkFamily::kRegNetY;
  Layout own = Layout::kHuggingFace;  ///< whose names the snapshot carries
  std::string architecture;  ///< what the config calls it: "RegNetModel", …
  std::string block;         ///< ResNet: "basic", "bottleneck"
  std::int64_t stem_width = 0;
  std::int64_t group_width = 0;      ///< RegNet
  std::vector<std::int64_t> depths;  ///< blocks, stage by stage
  std::vector<std::int64_t> widths;  ///< channels; empty where not said
};

/// Reads a config.json of Hugging Face's RegNet or ResNet, or of timm's model
/// hub for a ResNet. Errors: kCorruption (not JSON, or a field is missing);
/// kInvalidArgument, a ledger, or a trunk whose names are not known here.
[[nodiscard]] Result<TrunkShape> parse_trunk_shape(std::string_view config);

}  // namespace swavd::state
