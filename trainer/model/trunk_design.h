#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "trainer/options.h"

namespace swavd::trainer {

struct ConvShape {
  std::int64_t in = 0;      ///< channels
  std::int64_t out = 0;     ///< channels
  std::int64_t kernel = 1;  ///< odd; the padding keeps the size at stride 1
  std::int64_t stride = 1;
  std::int64_t groups = 1;
};

/// A convolution without bias and the BatchNorm behind it, with the names of
/// their tensors up to the last dot.
struct ConvDesign {
  std::string conv;  ///< "<conv>.weight"
  std::string norm;  ///< "<norm>.weight", "<norm>.running_mean", …
  ConvShape shape;
};

/// A squeeze-and-excitation of `width` channels.
struct AttentionDesign {
  std::string name;  ///< "<name>.attention.0.weight", …
  std::int64_t width = 0;
  std::int64_t squeezed = 0;  ///< channels inside
};

/// relu(f(x) + shortcut(x)), f being convolutions with ReLU between them.
struct BlockDesign {
  std::vector<ConvDesign> convs;
  std::optional<AttentionDesign> attention;  ///< before the last convolution
  std::optional<ConvDesign> shortcut;        ///< absent: identity
};

/// Whose names the tensors carry, which is who can open a snapshot as it is.
enum class NameStyle {
  kHuggingFace,  ///< RegNetModel, ResNetModel
  kTimm,         ///< timm's ResNet, which are torchvision's too
};

/// A trunk layer by layer, with every width worked out: stem, stages of
/// residual blocks, mean over the pixels. RegNets, ResNets and ResNeXts differ
/// in nothing else.
struct TrunkDesign {
  NameStyle names = NameStyle::kHuggingFace;
  ConvDesign stem;
  bool pooled_stem = false;  ///< max-pooling 3x3 of stride 2 behind the stem
  std::vector<std::vector<BlockDesign>> stages;

  /// Length of a pooled feature vector.
  [[nodiscard]] std::int64_t features() const;

  /// Output channels of each stage.
  [[nodiscard]] std::vector<std::int64_t> widths() const;

  /// Blocks of each stage.
  [[nodiscard]] std::vector<std::int64_t> depths() const;
};

/// Blocks of all stages together.
[[nodiscard]] std::int64_t trunk_blocks(const TrunkOptions& options);

/// Errors: kInvalidArgument naming the first option that is out of range.
[[nodiscard]] Result<TrunkDesign> design_trunk(const TrunkOptions& options);

/// A convolution that Hugging Face calls "<name>.convolution", with its
/// "<name>.normalization".
[[nodiscard]] ConvDesign hf_conv(
    const std::string& name,
    const ConvShape& shape);

/// Hugging Face's name of a block: "encoder.stages.<stage>.layers.<block>".
[[nodiscard]] std::string hf_block(std::size_t stage, std::int64_t block);

}  // namespace swavd::trainer
