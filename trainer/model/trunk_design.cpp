#include "trainer/model/trunk_design.h"

#include <numeric>

#include <fmt/format.h>

#include "trainer/model/regnet_design.h"
#include "trainer/model/resnet_design.h"

namespace swavd::trainer {

std::int64_t TrunkDesign::features() const {
  return widths().back();
}

std::vector<std::int64_t> TrunkDesign::widths() const {
  std::vector<std::int64_t> widths;
  for (const std::vector<BlockDesign>& blocks : stages) {
    widths.push_back(blocks.back().convs.back().shape.out);
  }
  return widths;
}

std::vector<std::int64_t> TrunkDesign::depths() const {
  std::vector<std::int64_t> depths;
  for (const std::vector<BlockDesign>& blocks : stages) {
    depths.push_back(static_cast<std::int64_t>(blocks.size()));
  }
  return depths;
}

std::int64_t trunk_blocks(const TrunkOptions& options) {
  if (const auto* resnet = std::get_if<ResNetOptions>(&options)) {
    return std::accumulate(
        resnet->depths.begin(), resnet->depths.end(), std::int64_t{0});
  }
  return std::get<RegNetOptions>(options).depth;
}

Result<TrunkDesign> design_trunk(const TrunkOptions& options) {
  if (const auto* resnet = std::get_if<ResNetOptions>(&options)) {
    return design_resnet(*resnet);
  }
  const Result<RegNetDesign> regnet =
      design_regnet(std::get<RegNetOptions>(options));
  if (!regnet.ok()) {
    return regnet.error();
  }
  return lay_out_regnet(regnet.value());
}

ConvDesign hf_conv(const std::string& name, const ConvShape& shape) {
  return {name + ".convolution", name + ".normalization", shape};
}

std::string hf_block(std::size_t stage, std::int64_t block) {
  return fmt::format("encoder.stages.{}.layers.{}", stage, block);
}

}  // namespace swavd::trainer
