#include "dedup_free_loader/render/jitter.h"

#include <algorithm>
#include <span>

#include "dedup_free_loader/render/color.h"

namespace swavd::loader {

namespace {

// Pixels worked on at a time: three planes of them stay in the L1 cache while
// one operation follows the other.
constexpr std::size_t kBlock = 4096;

/// A run of pixels in all three planes.
struct Block {
  std::uint8_t* red;
  std::uint8_t* green;
  std::uint8_t* blue;
  std::size_t count;
};

Block block_at(const Planes& planes, std::size_t begin) {
  return {
      planes.plane[0] + begin,
      planes.plane[1] + begin,
      planes.plane[2] + begin,
      std::min(kBlock, planes.pixels() - begin)};
}

void scale_all(const Block& block, float pivot, float factor) {
  if (factor != 1.0F) {
    scale_levels(block.red, block.count, pivot, factor);
    scale_levels(block.green, block.count, pivot, factor);
    scale_levels(block.blue, block.count, pivot, factor);
  }
}

/// torchvision adds `uint8(hue * 255)` to the hue and lets it wrap around.
std::uint8_t turn_of(float hue) {
  const auto steps = static_cast<std::int32_t>(static_cast<double>(hue) * 255);
  return static_cast<std::uint8_t>(steps & 255);
}

/// Executes one operation; `mean` is the grey level contrast turns around.
void apply(JitterOp op, const CropPlan& plan, float mean, const Block& block) {
  switch (op) {
    case JitterOp::kBrightness:
      scale_all(block, /*pivot=*/0.0F, plan.brightness);
      break;
    case JitterOp::kContrast:
      scale_all(block, mean, plan.contrast);
      break;
    case JitterOp::kSaturation:
      if (plan.saturation != 1.0F) {
        scale_saturation(
            block.red, block.green, block.blue, block.count, plan.saturation);
      }
      break;
    case JitterOp::kHue:
      turn_hue(
          block.red, block.green, block.blue, block.count, turn_of(plan.hue));
      break;
  }
}

/// The part of the jitter before contrast; returns the mean grey level then,
/// rounded, which contrast needs of the whole crop.
float before_contrast(
    const CropPlan& plan,
    std::span<const JitterOp> ops,
    const Planes& planes) {
  std::uint64_t sum = 0;
  for (std::size_t begin = 0; begin < planes.pixels(); begin += kBlock) {
    const Block block = block_at(planes, begin);
    for (const JitterOp op : ops) {
      apply(op, plan, /*mean=*/0.0F, block);
    }
    if (plan.contrast != 1.0F) {
      sum += sum_gray(block.red, block.green, block.blue, block.count);
    }
  }
  const double mean =
      static_cast<double>(sum) / static_cast<double>(planes.pixels());
  return static_cast<float>(static_cast<std::int32_t>(mean + 0.5));
}

}  // namespace

int apply_colors(const CropPlan& plan, const Planes& planes) {
  std::span<const JitterOp> rest;
  float mean = 0.0F;
  if (plan.jitter) {
    const std::span<const JitterOp> ops(plan.jitter_order);
    const auto contrast = static_cast<std::size_t>(
        std::find(ops.begin(), ops.end(), JitterOp::kContrast) - ops.begin());
    mean = before_contrast(plan, ops.first(contrast), planes);
    rest = ops.subspan(contrast);
  }
  if (rest.empty() && !plan.gray) {
    return 3;
  }
  for (std::size_t begin = 0; begin < planes.pixels(); begin += kBlock) {
    const Block block = block_at(planes, begin);
    for (const JitterOp op : rest) {
      apply(op, plan, mean, block);
    }
    if (plan.gray) {
      to_gray(block.red, block.green, block.blue, block.count);
    }
  }
  return plan.gray ? 1 : 3;
}

}  // namespace swavd::loader
