#pragma once

#include <string>
#include <string_view>

#include "ops/base/result.h"

namespace swavd::state {

/// Whose names a RegNet trunk's tensors carry. Shapes and values are the same
/// in all of them.
enum class Layout {
  kHuggingFace,  ///< transformers' RegNetModel: "encoder.stages.0.layers.…"
  kTorchvision,  ///< "trunk_output.block1.block1-0.f.a.0.weight"
  kTimm,         ///< "s1.b1.conv1.conv.weight"
  kVissl,        ///< "_feature_blocks.res2.block1-0.f.a.0.weight"
};

/// The name, in layout `to`, of the tensor that Hugging Face's RegNetModel
/// (without the prefix "regnet.") calls `hf_name`: stem, blocks with or
/// without squeeze-and-excitation, and "classifier.1.{weight,bias}", which
/// VISSL has not in its trunk. Errors: kInvalidArgument, no such tensor.
[[nodiscard]] Result<std::string> rename(std::string_view hf_name, Layout to);

}  // namespace swavd::state
