#include <algorithm>
#include <vector>

#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/render/blur.h"
#include "dedup_free_loader/render/jitter.h"
#include "dedup_free_loader/render/normalize.h"
#include "dedup_free_loader/render/resample_kernels.h"
#include "dedup_free_loader/render/resize.h"
#include "dedup_free_loader/render/taps.h"
#include "ops/base/check.h"

namespace swavd::loader {

namespace {

/// What a thread keeps from crop to crop, so that rendering allocates nothing
/// once the largest crop has been seen.
struct Scratch {
  Taps columns;
  Taps rows;
  ResizeScratch resize;
  BlurScratch blur;
  std::vector<std::uint8_t> planes;
};

Scratch& thread_scratch() {
  thread_local Scratch scratch;
  return scratch;
}

Planes planes_of(Scratch& scratch, std::int32_t size) {
  Planes planes;
  planes.size = static_cast<std::size_t>(size);
  const std::size_t pitch = round_up(planes.pixels(), kRowSlack);
  scratch.planes.resize(pitch * planes.plane.size());
  for (std::size_t c = 0; c < planes.plane.size(); ++c) {
    planes.plane[c] = scratch.planes.data() + c * pitch;
  }
  return planes;
}

/// One axis of a crop: [begin, begin + length) of the image's axis, in pixels
/// and parts of them, which lies in the `in_size` pixels from `held` on.
Axis crop_axis(
    double begin,
    double length,
    std::int32_t held,
    std::int32_t in_size,
    std::int32_t size) {
  const double cut_front = begin - held;
  return {
      .in_size = in_size,
      .cut_front = cut_front,
      .cut_back = in_size - cut_front - length,
      .out_size = size,
      .count = size};
}

void cut(
    const ImageView& image,
    const CropPlan& plan,
    Scratch& scratch,
    const Planes& planes) {
  SWAVD_CHECK(plan.x >= 0 && plan.width > 0);
  SWAVD_CHECK(plan.y >= 0 && plan.height > 0);
  const Region held =
      scaled_down({plan.x, plan.y, plan.width, plan.height}, image.denominator);
  const std::int32_t x = held.x - image.x;
  const std::int32_t y = held.y - image.y;
  SWAVD_CHECK(x >= 0 && y >= 0);
  SWAVD_CHECK(held.width <= image.width - x);
  SWAVD_CHECK(held.height <= image.height - y);
  // Eighths of a pixel at most, which are exact.
  const double whole = image.denominator;
  Axis columns = crop_axis(
      plan.x / whole, plan.width / whole, held.x, held.width, plan.size);
  columns.mirrored = plan.flip;
  scratch.columns.assign(columns);
  scratch.rows.assign(crop_axis(
      plan.y / whole, plan.height / whole, held.y, held.height, plan.size));
  resize(image, x, y, scratch.columns, scratch.rows, scratch.resize, planes);
}

/// One axis of an evaluation view: the middle `size` pixels of `length`
/// source pixels resized so that the short side `shorter` has `resize`.
Axis center_axis(
    std::int32_t length,
    std::int32_t shorter,
    std::int32_t resize,
    std::int32_t size) {
  // Python's `int(resize * long / short)`; exact for the short side.
  const double scaled =
      static_cast<double>(std::int64_t{resize} * length) / shorter;
  const auto out_size = static_cast<std::int64_t>(scaled);
  return {
      .in_size = length,
      .out_size = out_size,
      .first = (out_size - size) / 2,
      .count = size};
}

}  // namespace

void CpuRenderer::render(
    const ImageView& image,
    const CropPlan& plan,
    const AugmentOptions& augment,
    float* out) const {
  Scratch& scratch = thread_scratch();
  const Planes planes = planes_of(scratch, plan.size);
  cut(image, plan, scratch, planes);
  const int channels = apply_colors(plan, planes);
  if (plan.blur_sigma > 0.0F) {
    blur(plan.blur_sigma, channels, scratch.blur, planes);
  }
  normalize(planes, channels, augment, out);
}

void render_center(
    const ImageView& image,
    std::int32_t resize,
    std::int32_t size,
    const AugmentOptions& augment,
    float* out) {
  SWAVD_CHECK(size > 0 && size <= resize);
  Scratch& scratch = thread_scratch();
  const Planes planes = planes_of(scratch, size);
  const std::int32_t shorter = std::min(image.width, image.height);
  scratch.columns.assign(center_axis(image.width, shorter, resize, size));
  scratch.rows.assign(center_axis(image.height, shorter, resize, size));
  // Only the middle is computed: pixels of a resized image do not depend on
  // each other.
  swavd::loader::resize(
      image, 0, 0, scratch.columns, scratch.rows, scratch.resize, planes);
  normalize(planes, /*channels=*/3, augment, out);
}

}  // namespace swavd::loader
