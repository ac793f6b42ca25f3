#pragma once

#include <span>
#include <string>
#include <string_view>

#include "state/layouts.h"

namespace swavd::state {

/// One name, or part of one, in every layout.
struct Names {
  std::string_view hugging_face;
  std::string_view torchvision;
  std::string_view timm;
  std::string_view vissl;
};

[[nodiscard]] std::string_view in_layout(const Names& names, Layout layout);

/// All names of a family of trunks, up to their last component ("weight",
/// "running_mean", …), which is the same everywhere.
struct FamilyNames {
  Names block;  ///< patterns of what stands in front of a block's names
  /// Outside of the blocks; the first is the stem's first convolution.
  std::span<const Names> outside;
  /// In a block; the first is a convolution that every block has.
  std::span<const Names> inside;
  Names classifier;  ///< of a model that was fine-tuned
};

[[nodiscard]] const FamilyNames& names_of(TrunkFamily family);

/// The names of RegNets, with and without squeeze-and-excitation.
extern const FamilyNames kRegNetXNames;
extern const FamilyNames kRegNetYNames;

extern const FamilyNames kResNetNames;

}  // namespace swavd::state
