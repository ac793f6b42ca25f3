#include "dedup_free_loader/crop_plan.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "ops/base/check.h"
#include "ops/base/philox.h"

namespace swavd::loader {

namespace {

// Each crop owns this many 32-bit words of its image's stream. It needs 34,
// the rest is for the rare redraws of `Random::below`.
constexpr std::uint64_t kWordsPerCrop = 64;

// torchvision's RandomResizedCrop.
constexpr int kAttempts = 10;
constexpr double kMinAspect = 3.0 / 4.0;
constexpr double kMaxAspect = 4.0 / 3.0;

// torchvision's ColorJitter as SwAV sets it, at strength 1.
constexpr double kLevelRange = 0.8;  // brightness, contrast, saturation
constexpr double kHueRange = 0.2;

/// Uniform in [0, 1) from one word: 32 bits are ample here, and keep the
/// number of words per crop small.
double unit(Random& random) {
  constexpr double kTwoTo32 = 4294967296.0;
  return random.next_u32() / kTwoTo32;
}

double between(Random& random, double low, double high) {
  return low + (high - low) * unit(random);
}

/// Rounds halves to even, as Python's `round`.
std::int32_t round_even(double value) {
  return static_cast<std::int32_t>(std::nearbyint(value));
}

struct Box {
  std::int32_t x, y, width, height;
};

/// The largest box in the middle whose aspect is within bounds.
Box center_box(std::int32_t width, std::int32_t height) {
  const double aspect = static_cast<double>(width) / height;
  std::int32_t w = width;
  std::int32_t h = height;
  if (aspect < kMinAspect) {
    h = round_even(w / kMinAspect);
  } else if (aspect > kMaxAspect) {
    w = round_even(h * kMaxAspect);
  }
  return {(width - w) / 2, (height - h) / 2, w, h};
}

Box draw_box(
    Random& random,
    std::int32_t width,
    std::int32_t height,
    const CropSpec& spec) {
  const double area = static_cast<double>(width) * height;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const double target =
        area * between(random, spec.scale_min, spec.scale_max);
    const double aspect =
        std::exp(between(random, std::log(kMinAspect), std::log(kMaxAspect)));
    const double w = std::nearbyint(std::sqrt(target * aspect));
    const double h = std::nearbyint(std::sqrt(target / aspect));
    if (w >= 1 && w <= width && h >= 1 && h <= height) {
      const auto box_width = static_cast<std::int32_t>(w);
      const auto box_height = static_cast<std::int32_t>(h);
      const auto free_y = static_cast<std::uint32_t>(height - box_height + 1);
      const auto free_x = static_cast<std::uint32_t>(width - box_width + 1);
      const auto y = static_cast<std::int32_t>(random.below(free_y));
      const auto x = static_cast<std::int32_t>(random.below(free_x));
      return {x, y, box_width, box_height};
    }
  }
  return center_box(width, height);
}

/// A uniform permutation (Fisher-Yates).
std::array<JitterOp, 4> draw_order(Random& random) {
  std::array<JitterOp, 4> order = {
      JitterOp::kBrightness,
      JitterOp::kContrast,
      JitterOp::kSaturation,
      JitterOp::kHue};
  for (std::uint32_t i = 3; i > 0; --i) {
    std::swap(order[i], order[random.below(i + 1)]);
  }
  return order;
}

/// A factor around 1, never negative.
float draw_factor(Random& random, double range) {
  return static_cast<float>(
      between(random, std::max(0.0, 1.0 - range), 1.0 + range));
}

// Everything is drawn whether it is used or not, so that one option's value
// does not move the draws of another.
void draw_appearance(
    Random& random,
    const AugmentOptions& augment,
    CropPlan& plan) {
  plan.flip = unit(random) < augment.flip_probability;
  plan.jitter = unit(random) < augment.jitter_probability;
  plan.jitter_order = draw_order(random);
  const double levels = kLevelRange * augment.jitter_strength;
  // Half a turn reaches every hue; more would only wrap around.
  const double hue = std::min(kHueRange * augment.jitter_strength, 0.5);
  plan.brightness = draw_factor(random, levels);
  plan.contrast = draw_factor(random, levels);
  plan.saturation = draw_factor(random, levels);
  plan.hue = static_cast<float>(between(random, -hue, hue));
  plan.gray = unit(random) < augment.gray_probability;
  const bool blur = unit(random) < augment.blur_probability;
  const double sigma =
      between(random, augment.blur_sigma_min, augment.blur_sigma_max);
  plan.blur_sigma = blur ? static_cast<float>(sigma) : 0.0F;
}

CropPlan draw_plan(
    Random random,
    std::int32_t image_width,
    std::int32_t image_height,
    const CropSpec& spec,
    const AugmentOptions& augment) {
  const std::uint64_t begin = random.position();
  CropPlan plan;
  plan.size = spec.size;
  draw_appearance(random, augment, plan);
  const Box box = draw_box(random, image_width, image_height, spec);
  plan.x = box.x;
  plan.y = box.y;
  plan.width = box.width;
  plan.height = box.height;
  SWAVD_CHECK(random.position() - begin <= kWordsPerCrop);
  return plan;
}

}  // namespace

std::vector<CropPlan> draw_crop_plans(
    std::uint64_t seed,
    const ingest::Address& address,
    std::int32_t image_width,
    std::int32_t image_height,
    std::span<const CropSpec> crops,
    const AugmentOptions& augment) {
  SWAVD_CHECK(image_width > 0 && image_height > 0);
  const std::uint64_t key = stream_key(
      seed, fmt::format("augment/{}/{}", address.topic, address.partition));
  const auto offset = static_cast<std::uint64_t>(address.offset);
  std::vector<CropPlan> plans;
  for (const CropSpec& spec : crops) {
    for (std::int32_t i = 0; i < spec.count; ++i) {
      const std::uint64_t position = plans.size() * kWordsPerCrop;
      plans.push_back(draw_plan(
          Random(key, offset, position),
          image_width,
          image_height,
          spec,
          augment));
    }
  }
  return plans;
}

Region union_of(std::span<const CropPlan> plans) {
  SWAVD_CHECK(!plans.empty());
  std::int32_t left = plans[0].x;
  std::int32_t top = plans[0].y;
  std::int32_t right = left;
  std::int32_t bottom = top;
  for (const CropPlan& plan : plans) {
    left = std::min(left, plan.x);
    top = std::min(top, plan.y);
    right = std::max(right, plan.x + plan.width);
    bottom = std::max(bottom, plan.y + plan.height);
  }
  return {left, top, right - left, bottom - top};
}

Wanted wanted_by(std::span<const CropPlan> plans, double fidelity) {
  const auto enough = [plans, fidelity](std::int32_t denominator) {
    return std::ranges::all_of(plans, [&](const CropPlan& plan) {
      return std::min(plan.width, plan.height) >=
             fidelity * denominator * plan.size;
    });
  };
  std::int32_t denominator = fidelity > 0 ? 8 : 1;
  while (denominator > 1 && !enough(denominator)) {
    denominator /= 2;
  }
  return {union_of(plans), denominator};
}

}  // namespace swavd::loader
