#pragma once

#include <cstddef>
#include <cstdint>

#include "dedup_free_loader/image.h"
#include "ops/base/bytes.h"

namespace swavd::loader {

/// What the bytes of a pixel are.
enum class Samples {
  kGray,         ///< the same shade three times
  kRgb,          ///< red, green, blue
  kInk,          ///< cyan, magenta, yellow, black; 0 is none
  kInkInverted,  ///< likewise, 255 is none: how JPEG files have them
};

/// A way from the colours of an ICC profile to sRGB.
class SrgbTransform {
 public:
  /// Takes over a transform of Little CMS from 8 bits a sample.
  explicit SrgbTransform(void* transform) : transform_(transform) {}

  ~SrgbTransform();

  SrgbTransform(const SrgbTransform&) = delete;
  SrgbTransform& operator=(const SrgbTransform&) = delete;

  /// Converts a row. `rgb` has three bytes a pixel; it may be `row`, unless
  /// that is ink.
  void convert(const std::uint8_t* row, std::size_t width, std::uint8_t* rgb)
      const;

  /// Converts a picture whose pixels are kGray or kRgb.
  void convert(Image& image) const;

 private:
  void* transform_;
};

/// How a picture with `profile` becomes sRGB: perceptual intent, as Pillow's
/// `profileToProfile`. nullptr when its pixels are taken as they are: there is
/// no profile, none that can be read or of such samples, or one that moves no
/// colour by more than one level, as the many copies of sRGB itself. The last
/// few profiles are remembered. Valid until this thread's next call.
[[nodiscard]] const SrgbTransform* find_transform(
    Bytes profile,
    Samples samples);

/// The profile in the segments of a JPEG or the chunk of a WebP file; empty
/// when there is none, or not all of it.
[[nodiscard]] ByteVector embedded_profile(Bytes file);

/// Does what the first `find_transform` of this thread needs files for: for
/// those who are about to give up the right to open any.
void prepare_transforms();

}  // namespace swavd::loader
