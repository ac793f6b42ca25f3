#pragma once

#include <string_view>

#include "state/layouts/trunk_shape.h"

namespace swavd::state {

/// What the libraries call a trunk of a certain shape; empty where they have
/// no name for it.
struct Architecture {
  std::string_view timm;         ///< "regnety_004"
  std::string_view torchvision;  ///< "regnet_y_400mf"
  /// Widths of torchvision's model of that name where they are others: then
  /// the two cannot exchange weights.
  std::string_view torchvision_widths;
};

[[nodiscard]] Architecture architecture_of(const TrunkShape& shape);

}  // namespace swavd::state
