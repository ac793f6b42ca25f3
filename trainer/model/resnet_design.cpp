#include "trainer/model/resnet_design.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace swavd::trainer {

namespace {

constexpr std::size_t kStages = 4;
constexpr std::int64_t kBaseWidth = 64;
constexpr std::int64_t kExpansion = 4;  // of a bottleneck

Error bad_option(const char* name, const std::string& rule) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("trunk option {} must be {}", name, rule)};
}

/// True when a bottleneck is a quarter as wide inside as at its end.
bool is_plain(const ResNetOptions& options) {
  return options.groups == 1 && options.width_per_group == kBaseWidth;
}

Status check_resnet(const ResNetOptions& options) {
  const bool depths_positive = std::all_of(
      options.depths.begin(), options.depths.end(), [](std::int64_t depth) {
        return depth >= 1;
      });
  if (options.depths.size() != kStages || !depths_positive) {
    return bad_option("depths", "four numbers of at least 1");
  }
  if (options.widen < 1) {
    return bad_option("widen", "at least 1");
  }
  if (options.groups < 1) {
    return bad_option("groups", "at least 1");
  }
  if (options.width_per_group < 1) {
    return bad_option("width_per_group", "at least 1");
  }
  if (options.block == ResNetBlock::kBasic && !is_plain(options)) {
    return bad_option(
        "block", "bottleneck with groups or another width_per_group");
  }
  // No library builds such a one, so nobody could open the snapshots.
  if (options.widen != 1 &&
      (!is_plain(options) || options.stem == ResNetStem::kCifar)) {
    return bad_option(
        "widen", "1 with groups, another width_per_group or the stem cifar");
  }
  return ok_status();
}

/// How the two libraries name what they both have.
class Names {
 public:
  explicit Names(NameStyle style) : timm_(style == NameStyle::kTimm) {}

  [[nodiscard]] ConvDesign stem(const ConvShape& shape) const {
    return timm_ ? ConvDesign{"conv1", "bn1", shape}
                 : hf_conv("embedder.embedder", shape);
  }

  [[nodiscard]] std::string block(std::size_t stage, std::int64_t b) const {
    return timm_ ? fmt::format("layer{}.{}", stage + 1, b) : hf_block(stage, b);
  }

  /// The `index`-th convolution of a block.
  [[nodiscard]] ConvDesign conv(
      const std::string& block,
      std::size_t index,
      const ConvShape& shape) const {
    if (timm_) {
      return {
          fmt::format("{}.conv{}", block, index + 1),
          fmt::format("{}.bn{}", block, index + 1),
          shape};
    }
    return hf_conv(fmt::format("{}.layer.{}", block, index), shape);
  }

  [[nodiscard]] ConvDesign shortcut(
      const std::string& block,
      const ConvShape& shape) const {
    return timm_
               ? ConvDesign{block + ".downsample.0", block + ".downsample.1", shape}
               : hf_conv(block + ".shortcut", shape);
  }

 private:
  bool timm_;
};

std::vector<ConvShape> conv_shapes(
    const ResNetOptions& options,
    std::int64_t input_width,
    std::int64_t width,
    std::int64_t stride) {
  if (options.block == ResNetBlock::kBasic) {
    return {{input_width, width, 3, stride}, {width, width, 3}};
  }
  const std::int64_t inside =
      width * options.width_per_group / kBaseWidth * options.groups;
  return {
      {input_width, inside},
      {inside, inside, 3, stride, options.groups},
      {inside, kExpansion * width}};
}

}  // namespace

Result<TrunkDesign> design_resnet(const ResNetOptions& options) {
  SWAVD_RETURN_IF_ERROR(check_resnet(options));
  const bool imagenet = options.stem == ResNetStem::kImageNet;
  TrunkDesign trunk;
  trunk.names = imagenet && is_plain(options) ? NameStyle::kHuggingFace
                                              : NameStyle::kTimm;
  const Names names(trunk.names);
  std::int64_t width = kBaseWidth * options.widen;
  trunk.stem = names.stem(
      imagenet ? ConvShape{3, width, 7, 2} : ConvShape{3, width, 3, 1});
  trunk.pooled_stem = imagenet;
  std::int64_t input_width = width;
  for (std::size_t s = 0; s < kStages; ++s, width *= 2) {
    trunk.stages.emplace_back();
    for (std::int64_t b = 0; b < options.depths[s]; ++b) {
      const std::int64_t stride = s > 0 && b == 0 ? 2 : 1;
      const std::string name = names.block(s, b);
      BlockDesign block;
      for (const ConvShape& shape :
           conv_shapes(options, input_width, width, stride)) {
        block.convs.push_back(names.conv(name, block.convs.size(), shape));
      }
      const std::int64_t out = block.convs.back().shape.out;
      if (stride != 1 || input_width != out) {
        block.shortcut = names.shortcut(name, {input_width, out, 1, stride});
      }
      trunk.stages.back().push_back(std::move(block));
      input_width = out;
    }
  }
  return trunk;
}

}  // namespace swavd::trainer
