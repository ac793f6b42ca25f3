#pragma once

#include <cstdint>
#include <vector>

#include "ops/base/result.h"
#include "trainer/model/trunk_design.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// One stage: blocks of equal width, the first of which halves the resolution.
struct StageDesign {
  std::int64_t depth = 0;        ///< blocks
  std::int64_t width = 0;        ///< channels, a multiple of `group_width`
  std::int64_t group_width = 0;  ///< of the 3x3 convolutions

  friend bool operator==(const StageDesign&, const StageDesign&) = default;
};

/// The widths and depths of a RegNet, worked out.
struct RegNetDesign {
  RegNetType type = RegNetType::kY;
  std::int64_t stem_width = 32;
  double se_ratio = 0.25;
  std::vector<StageDesign> stages;
};

/// Runs RegNet's generator: quantised linear widths, equal widths gathered
/// into stages, widths made multiples of the group width. All roundings are
/// half-to-even, as in pycls and ClassyVision (torchvision rounds up and gives
/// other widths for Y 800MF, Y 8GF and X 400MF). Errors: kInvalidArgument
/// naming the option.
[[nodiscard]] Result<RegNetDesign> design_regnet(const RegNetOptions& options);

/// Its layers: a 3x3 stem of stride 2, then blocks of 1x1, grouped 3x3, in type
/// Y squeeze-and-excitation, and 1x1. The first block of a stage has stride 2.
/// Names are those of Hugging Face's RegNetModel.
[[nodiscard]] TrunkDesign lay_out_regnet(const RegNetDesign& design);

/// Channels inside a squeeze-and-excitation of a block whose INPUT has
/// `input_width` channels: half-to-even of their product with the ratio (746
/// channels give 186, not 187).
[[nodiscard]] std::int64_t se_width(std::int64_t input_width, double ratio);

}  // namespace swavd::trainer
