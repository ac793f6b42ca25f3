#pragma once

#include "ops/base/result.h"
#include "trainer/model/trunk_design.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// The layers of a ResNet or ResNeXt. A stage's width is 64 * widen * 2^stage;
/// a bottleneck is `width * width_per_group / 64 * groups` wide inside and 4
/// times `width` at its end. The first block of every stage but the first has
/// stride 2, a bottleneck in its 3x3 convolution. Names are Hugging Face's
/// where its ResNetModel can be configured so, else timm's: with the stem for
/// small pictures, with groups, with another width inside. Errors:
/// kInvalidArgument naming the option.
[[nodiscard]] Result<TrunkDesign> design_resnet(const ResNetOptions& options);

}  // namespace swavd::trainer
