#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"

namespace swavd::state {

/// Whose names a trunk's tensors carry. Shapes and values are the same in all
/// of them.
enum class Layout {
  kHuggingFace,  ///< transformers' RegNetModel, ResNetModel:
                 ///< "encoder.stages.0.layers.0.layer.0.convolution.weight"
  kTorchvision,  ///< RegNet: "trunk_output.block1.block1-0.f.a.0.weight"
  kTimm,         ///< RegNet: "s1.b1.conv1.conv.weight"
  kVissl,        ///< RegNet: "_feature_blocks.res2.block1-0.f.a.0.weight"
};

inline constexpr Layout kLayouts[] = {
    Layout::kHuggingFace,
    Layout::kTorchvision,
    Layout::kTimm,
    Layout::kVissl};

/// "hf", "torchvision", "timm", "vissl".
[[nodiscard]] std::string_view to_string(Layout layout);

/// The other way round; nullopt for any other word.
[[nodiscard]] std::optional<Layout> layout_from(std::string_view word);

/// Trunks whose names are known in all four layouts.
enum class TrunkFamily {
  kRegNetX,
  kRegNetY,  ///< with squeeze-and-excitation
  kResNet,   ///< of basic blocks or bottlenecks; ResNeXts, too
};

/// The name, in layout `to`, of the trunk's tensor that layout `from` calls
/// `name`. One to one: there and back gives the same name, and no two tensors
/// share one. A classifier is no part of a trunk. Errors: kInvalidArgument, no
/// such tensor.
[[nodiscard]] Result<std::string>
rename(TrunkFamily family, std::string_view name, Layout from, Layout to);

/// The same for a tensor of the SwAV head by its name in a snapshot
/// ("projection_head.0.weight", "prototypes.weight"). VISSL counts its heads
/// ("0.projection_head.0.weight", "0.prototypes0.weight"); the others know no
/// such head, and the name stays.
[[nodiscard]] Result<std::string> rename_head(std::string_view name, Layout to);

/// What a tensor in somebody's file is to a model of ours.
enum class ForeignPart {
  kTrunk,
  kHead,
  kPrototypes,
  kClassifier,  ///< of a fine-tuned model; we have none
  kUnknown,
};

struct ForeignName {
  ForeignPart part = ForeignPart::kUnknown;
  std::string name;  ///< in a snapshot; empty for the last two parts
};

struct ForeignNames {
  Layout layout = Layout::kHuggingFace;
  Layout own = Layout::kHuggingFace;  ///< of a snapshot, as it was given
  /// What stands in front of the trunk's names:
  /// "classy_state_dict.base_model.model.trunk.", "regnet.", "module.", "".
  std::string prefix;
  std::vector<ForeignName> names;  ///< in the order of those given
};

/// Recognises the layout of a file by the names in it, whatever stands in
/// front of them, and says what each tensor is. Sharded training's
/// ".block1-part0" inside VISSL's names is passed over. Of several sets of
/// prototypes each keeps its number. `own`: whose names the
/// snapshots of that trunk carry. Errors: kInvalidArgument: no trunk of that
/// family, several trunks, or several heads.
[[nodiscard]] Result<ForeignNames> recognise_names(
    TrunkFamily family,
    std::span<const std::string> names,
    Layout own = Layout::kHuggingFace);

}  // namespace swavd::state
