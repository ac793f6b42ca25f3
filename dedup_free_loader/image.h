#pragma once

#include <cstdint>
#include <functional>
#include <memory_resource>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::loader {

/// A decoded picture, or a part of one: uint8 sRGB, [height, width, 3],
/// C-contiguous.
struct Image {
  std::int32_t width = 0;   ///< pixels
  std::int32_t height = 0;  ///< pixels
  /// Where the first pixel lies in the picture; 0, 0 of a whole one.
  std::int32_t x = 0;
  std::int32_t y = 0;
  /// 1, 2, 4 or 8: each pixel stands for so many of the file's along both
  /// sides. All of the above count such pixels; see `scaled_down`.
  std::int32_t denominator = 1;
  bool filled = false;  ///< the file ended early, see `fill_truncated`
  /// In the memory of `std::pmr::get_default_resource`, which an isolated
  /// decoder shares with its worker.
  std::pmr::vector<std::uint8_t> rgb;
};

/// The pixels of an image that someone else owns.
struct ImageView {
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::int32_t denominator = 1;
  bool filled = false;
  const std::uint8_t* rgb = nullptr;

  ImageView() = default;

  /// Borrows `image`. Not explicit: an image is wanted wherever a view is.
  ImageView(const Image& image)
      : width(image.width),
        height(image.height),
        x(image.x),
        y(image.y),
        denominator(image.denominator),
        filled(image.filled),
        rgb(image.rgb.data()) {}
};

/// Sides of a whole picture, in pixels.
struct PictureSize {
  std::int32_t width = 0;
  std::int32_t height = 0;

  bool operator==(const PictureSize&) const = default;
};

/// Pixels [x, x + width) x [y, y + height) of a picture.
struct Region {
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::int32_t width = 0;
  std::int32_t height = 0;
};

/// The pixels that hold `region` in the same picture at 1/`denominator`, whose
/// pixel i stands for `denominator` pixels from i * denominator on: of a side
/// of n pixels the last one, of ceil(n / denominator), may stand for fewer.
[[nodiscard]] Region scaled_down(
    const Region& region,
    std::int32_t denominator);

/// What is needed of a picture: a region of at least one pixel inside it, and
/// the largest of the denominators 1, 2, 4 and 8 that will do.
struct Wanted {
  Region region;
  std::int32_t denominator = 1;

  Wanted() = default;

  /// Not explicit: a region alone is wanted pixel by pixel.
  Wanted(const Region& region_in, std::int32_t denominator_in = 1)
      : region(region_in),
        denominator(denominator_in) {}
};

/// What is needed of a picture of this size.
using ChooseRegion =
    std::function<Wanted(std::int32_t width, std::int32_t height)>;

/// Why a record cannot be trained on.
enum class RejectReason {
  kEmpty,           ///< no bytes
  kUnknownFormat,   ///< not a format that is decoded, by its first bytes
  kTruncated,       ///< ends before its image does
  kMalformed,       ///< the decoder refuses it
  kUnsupported,     ///< a real image, of a kind we do not decode
  kTooManyPixels,   ///< above the pixel limit, or too many for so few bytes
  kTooLarge,        ///< above the limit in bytes
  kTimeout,         ///< took longer than a picture may; isolated decoding only
  kDecoderCrashed,  ///< ended the process that decoded it; likewise
  kLast = kDecoderCrashed,
};

/// The word for a reason in logs, metric labels and dead letters:
/// "empty", "unknown_format", "truncated", "malformed", "unsupported",
/// "too_many_pixels", "too_large", "timeout", "decoder_crashed".
[[nodiscard]] std::string_view to_string(RejectReason reason);

/// A reason, and what exactly was wrong.
struct Rejection {
  RejectReason reason = RejectReason::kMalformed;
  std::string detail;
};

struct DecodeLimits {
  std::uint64_t max_bytes = 16ULL << 20U;  ///< of the file
  std::uint64_t max_pixels = 33'554'432;   ///< width x height, 2^25
};

/// How pictures are decoded. Limits alone stand for the rest as it is here.
struct DecodeOptions {
  DecodeLimits limits;
  /// Turns a picture upright that says it is stored otherwise: by its EXIF
  /// (JPEG, PNG, WebP) or its container (AVIF). A TIFF always is, as in Pillow.
  bool exif_orientation = false;
  /// Converts a picture with an ICC profile to sRGB (JPEG, PNG, WebP, TIFF and
  /// AVIF; perceptual intent). A profile that cannot be read, or is for other
  /// pixels, is not followed.
  bool color_profiles = false;
  /// Gives a JPEG, PNG, GIF or BMP whose pixels end early as Pillow does with
  /// `LOAD_TRUNCATED_IMAGES`: of a JPEG the rest is grey, of the others black
  /// or the first colour of their palette. Otherwise it is rejected, as the
  /// other formats always are.
  bool fill_truncated = false;

  DecodeOptions() = default;

  /// Not explicit: limits are wanted wherever options are.
  DecodeOptions(const DecodeLimits& only_limits) : limits(only_limits) {}
};

/// Decodes one image file: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF (the first
/// frame or page), told by content, to RGB as Pillow's `convert("RGB")` gives
/// it (alpha dropped, grey repeated, CMYK by its naive formula). Limits are
/// checked on the header, before pixels are allocated.
///
/// With `choose`, which is called once for a picture that is given (and perhaps
/// for one that is rejected), the image may be the part that holds the region,
/// of the same pixels as in the whole: of a JPEG file that has an end marker,
/// what lies beyond is not decoded, and damage there not seen. Such a file is
/// also given at the largest denominator wanted, straight from its DCT
/// coefficients, unless it is CMYK, sampled in an unusual way or turned. Sizes,
/// regions and the part are those of the picture as it is given, upright or
/// stored. Thread-safe; throws nothing.
[[nodiscard]] std::variant<Image, Rejection> decode_image(
    Bytes file,
    const DecodeOptions& options,
    const ChooseRegion& choose = nullptr);

/// The picture as a PNG file, 8-bit RGB. Errors: kInvalidArgument (sizes that
/// do not fit the bytes), kExhausted.
[[nodiscard]] Result<ByteVector> encode_png(const Image& image);

/// "jpeg", "png", "webp", "gif", "bmp", "tiff", "avif" or "unknown": the
/// content's own signature.
[[nodiscard]] std::string_view sniff_format(Bytes file);

}  // namespace swavd::loader
