#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dedup_free_loader/image.h"
#include "ingest/record.h"

namespace swavd::loader {

/// A group of equal crops, for example 2 of 224 pixels with scale (.14, 1).
struct CropSpec {
  std::int32_t count = 2;
  std::int32_t size = 224;  ///< side in pixels
  double scale_min = 0.14;  ///< share of the image's area, in (0, 1]
  double scale_max = 1.0;
};

/// What is done to a crop after it is cut; SwAV's settings are the defaults
/// (main_swav.py; order and probabilities as in its MultiCropDataset).
struct AugmentOptions {
  double flip_probability = 0.5;
  double jitter_probability = 0.8;
  /// Multiplies the ranges brightness .8, contrast .8, saturation .8, hue .2.
  double jitter_strength = 1.0;
  double gray_probability = 0.2;
  double blur_probability = 0.5;
  double blur_sigma_min = 0.1;
  double blur_sigma_max = 2.0;
  std::array<double, 3> mean = {0.485, 0.456, 0.406};
  std::array<double, 3> std = {0.229, 0.224, 0.225};
};

enum class JitterOp : std::uint8_t {
  kBrightness,
  kContrast,
  kSaturation,
  kHue,
};

/// Everything random about one crop, drawn before pixels are touched. Plain
/// data: any renderer executes the same plan.
struct CropPlan {
  std::int32_t size = 0;  ///< side of the output, pixels
  // The region that is cut, in pixels of the whole picture.
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::int32_t width = 0;
  std::int32_t height = 0;
  bool flip = false;
  bool jitter = false;
  std::array<JitterOp, 4> jitter_order{};  ///< first applied first
  float brightness = 1.0F;                 ///< factors; 1 changes nothing
  float contrast = 1.0F;
  float saturation = 1.0F;
  float hue = 0.0F;  ///< turn of the hue circle in [-.5, .5]
  bool gray = false;
  float blur_sigma = 0.0F;  ///< Pillow's radius; 0: no blur
};

/// Draws the plans of all crops of one image, group by group. A pure function
/// of (seed, address, crop index) and the image's size: threads, ranks,
/// retries and restarts change nothing. RandomResizedCrop as torchvision's:
/// ten attempts with the aspect log-uniform in [3/4, 4/3], then a centre crop.
[[nodiscard]] std::vector<CropPlan> draw_crop_plans(
    std::uint64_t seed,
    const ingest::Address& address,
    std::int32_t image_width,
    std::int32_t image_height,
    std::span<const CropSpec> crops,
    const AugmentOptions& augment);

/// The smallest region that holds what all plans cut; at least one plan.
[[nodiscard]] Region union_of(std::span<const CropPlan> plans);

/// What those plans need of a picture: that region, and the largest denominator
/// at which each of them still cuts at least `fidelity` pixels for each pixel
/// of its side, along both sides; 1 where there is none or `fidelity` is 0.
[[nodiscard]] Wanted wanted_by(
    std::span<const CropPlan> plans,
    double fidelity);

/// Renders an evaluation view: the whole image resized so that its short side
/// is `resize` pixels (the long one int(resize * long / short)), a centre crop
/// of `size` pixels, normalised; nothing random. Needs 0 < size <= resize.
/// Output as `Renderer::render`. Thread-safe.
///
/// Equal, bit for bit, to transformers' CLIPImageProcessor on its `pil` back
/// end (`use_fast=False` before version 5) with this preprocessor_config.json:
///
///   {"image_processor_type": "CLIPImageProcessor",
///    "do_convert_rgb": true,
///    "do_resize": true, "size": {"shortest_edge": RESIZE}, "resample": 2,
///    "do_center_crop": true, "crop_size": {"height": SIZE, "width": SIZE},
///    "do_rescale": true, "rescale_factor": 0.00392156862745098,
///    "do_normalize": true, "image_mean": MEAN, "image_std": STD}
///
/// Its default (torchvision) back end differs by up to one grey level.
void render_center(
    const ImageView& image,
    std::int32_t resize,
    std::int32_t size,
    const AugmentOptions& augment,
    float* out);

/// Executes plans. Thread-safe.
class Renderer {
 public:
  Renderer() = default;
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  virtual ~Renderer() = default;

  /// Writes the crop to `out`, of an image that holds at least the plan's
  /// region: float32 [size, size, 3] (channels last), normalised, C-contiguous.
  /// Agrees with Pillow's bilinear antialiased resize, torchvision's
  /// ColorJitter on PIL images and Pillow's GaussianBlur within one grey level.
  /// Of an image at 1/d, with Pillow's resize of the pixels that hold the
  /// region, to whose edges, which lie at d-ths of a pixel, its `box` is set.
  virtual void render(
      const ImageView& image,
      const CropPlan& plan,
      const AugmentOptions& augment,
      float* out) const = 0;
};

/// The renderer that runs on the loader's workers.
class CpuRenderer final : public Renderer {
 public:
  void render(
      const ImageView& image,
      const CropPlan& plan,
      const AugmentOptions& augment,
      float* out) const override;
};

}  // namespace swavd::loader
