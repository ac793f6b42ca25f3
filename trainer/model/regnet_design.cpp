#include "trainer/model/regnet_design.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace swavd::trainer {

namespace {

// Widths are multiples of this many channels before groups are considered.
constexpr double kQuantum = 8.0;

Error bad_trunk_option(const char* name, const char* rule, double value) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("trunk option {} must be {}, is {}", name, rule, value)};
}

Status check_trunk(const RegNetOptions& options) {
  if (options.depth < 1) {
    return bad_trunk_option("depth", "at least 1", options.depth);
  }
  if (options.w0 < 8 || options.w0 % 8 != 0) {
    return bad_trunk_option("w0", "a positive multiple of 8", options.w0);
  }
  if (!(options.wa >= 0.0) || !std::isfinite(options.wa)) {
    return bad_trunk_option("wa", "at least 0", options.wa);
  }
  if (!(options.wm > 1.0) || !std::isfinite(options.wm)) {
    return bad_trunk_option("wm", "above 1", options.wm);
  }
  if (options.group_width < 1) {
    return bad_trunk_option("group_width", "at least 1", options.group_width);
  }
  if (!(options.se_ratio > 0.0) || options.se_ratio > 1.0) {
    return bad_trunk_option("se_ratio", "in (0, 1]", options.se_ratio);
  }
  if (options.stem_width < 1) {
    return bad_trunk_option("stem_width", "at least 1", options.stem_width);
  }
  return ok_status();
}

double block_width(const RegNetOptions& options, std::int32_t block) {
  const double w0 = options.w0;
  const double linear = w0 + options.wa * block;
  const double exponent =
      std::nearbyint(std::log(linear / w0) / std::log(options.wm));
  return kQuantum *
         std::nearbyint(w0 * std::pow(options.wm, exponent) / kQuantum);
}

BlockDesign lay_out_block(
    const std::string& name,
    std::int64_t input_width,
    const StageDesign& stage,
    bool first,
    const RegNetDesign& design) {
  const std::int64_t width = stage.width;
  const std::int64_t stride = first ? 2 : 1;
  BlockDesign block;
  block.convs.push_back(hf_conv(name + ".layer.0", {input_width, width}));
  block.convs.push_back(hf_conv(
      name + ".layer.1", {width, width, 3, stride, width / stage.group_width}));
  if (design.type == RegNetType::kY) {
    block.attention = {
        name + ".layer.2", width, se_width(input_width, design.se_ratio)};
    block.convs.push_back(hf_conv(name + ".layer.3", {width, width}));
  } else {
    block.convs.push_back(hf_conv(name + ".layer.2", {width, width}));
  }
  if (first) {
    block.shortcut =
        hf_conv(name + ".shortcut", {input_width, width, 1, stride});
  }
  return block;
}

}  // namespace

Result<RegNetDesign> design_regnet(const RegNetOptions& options) {
  SWAVD_RETURN_IF_ERROR(check_trunk(options));
  RegNetDesign design;
  design.type = options.type;
  design.stem_width = options.stem_width;
  design.se_ratio = options.se_ratio;
  for (std::int32_t block = 0; block < options.depth; ++block) {
    const auto width = static_cast<std::int64_t>(block_width(options, block));
    if (design.stages.empty() || design.stages.back().width != width) {
      design.stages.push_back({0, width, 0});
    }
    ++design.stages.back().depth;
  }
  // Only now, so that two runs made equal by this stay two stages.
  for (StageDesign& stage : design.stages) {
    stage.group_width =
        std::min<std::int64_t>(options.group_width, stage.width);
    const double groups = std::nearbyint(
        static_cast<double>(stage.width) /
        static_cast<double>(stage.group_width));
    stage.width = static_cast<std::int64_t>(groups) * stage.group_width;
  }
  return design;
}

TrunkDesign lay_out_regnet(const RegNetDesign& design) {
  TrunkDesign trunk;
  trunk.stem = hf_conv("embedder.embedder", {3, design.stem_width, 3, 2});
  std::int64_t width = design.stem_width;
  for (std::size_t s = 0; s < design.stages.size(); ++s) {
    const StageDesign& stage = design.stages[s];
    trunk.stages.emplace_back();
    for (std::int64_t b = 0; b < stage.depth; ++b) {
      trunk.stages.back().push_back(
          lay_out_block(hf_block(s, b), width, stage, b == 0, design));
      width = stage.width;
    }
  }
  return trunk;
}

std::int64_t se_width(std::int64_t input_width, double ratio) {
  return static_cast<std::int64_t>(
      std::nearbyint(ratio * static_cast<double>(input_width)));
}

}  // namespace swavd::trainer
