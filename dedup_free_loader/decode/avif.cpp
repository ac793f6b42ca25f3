#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <avif/avif.h>
#include <fmt/format.h>

#include "dedup_free_loader/decode/color_profile.h"
#include "dedup_free_loader/decode/decoders.h"
#include "dedup_free_loader/decode/orientation.h"

namespace swavd::loader {

namespace {

struct DestroyDecoder {
  void operator()(avifDecoder* decoder) const { avifDecoderDestroy(decoder); }
};

using Decoder = std::unique_ptr<avifDecoder, DestroyDecoder>;

/// A number of the container, the highest byte first.
std::uint64_t number(Bytes file, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value = value << 8U | file[at + i];
  }
  return value;
}

/// True when a box of the outermost level is longer than the rest of the file.
bool shorter_than_declared(Bytes file) {
  constexpr std::size_t kHeader = 8;
  constexpr std::size_t kLongHeader = 16;
  while (!file.empty()) {
    if (file.size() < kHeader) {
      return true;
    }
    std::uint64_t bytes = number(file, 0, 4);
    if (bytes == 0) {
      return false;  // up to the end, wherever it is
    }
    if (bytes == 1) {
      if (file.size() < kLongHeader) {
        return true;
      }
      bytes = number(file, kHeader, 8);
    }
    if (bytes < kHeader) {
      return false;
    }
    if (bytes > file.size()) {
      return true;
    }
    file = file.subspan(bytes);
  }
  return false;
}

/// libavif has one code for all that is wrong with the container; its text
/// tells what this is about.
RejectReason reason_of(Bytes file, avifResult code, std::string_view text) {
  constexpr auto kNone = std::string_view::npos;
  switch (code) {
    case AVIF_RESULT_OUT_OF_MEMORY:
      return RejectReason::kTooManyPixels;
    case AVIF_RESULT_NOT_IMPLEMENTED:
    case AVIF_RESULT_NO_CODEC_AVAILABLE:
    case AVIF_RESULT_UNSUPPORTED_DEPTH:
    case AVIF_RESULT_REFORMAT_FAILED:
      return RejectReason::kUnsupported;
    case AVIF_RESULT_TRUNCATED_DATA:
      return RejectReason::kTruncated;
    default:
      break;
  }
  if (text.find("dimensions are too large") != kNone) {
    return RejectReason::kTooManyPixels;
  }
  const bool truncated = text.find("possibly truncated") != kNone ||
                         text.find("Truncated data?") != kNone ||
                         shorter_than_declared(file);
  return truncated ? RejectReason::kTruncated : RejectReason::kMalformed;
}

Rejection reject(Bytes file, const avifDecoder& decoder, avifResult code) {
  const std::string_view more = decoder.diag.error;
  return {
      reason_of(file, code, more),
      fmt::format(
          "AVIF: {}{}{}",
          avifResultToString(code),
          more.empty() ? "" : ": ",
          more)};
}

Decoder make_decoder(const DecodeLimits& limits) {
  Decoder decoder(avifDecoderCreate());
  if (decoder == nullptr) {
    return decoder;
  }
  decoder->codecChoice = AVIF_CODEC_CHOICE_DAV1D;
  decoder->maxThreads = 1;  // an isolated decoder may start none
  decoder->ignoreExif = AVIF_TRUE;
  decoder->ignoreXMP = AVIF_TRUE;
  // As browsers do: nothing that is asked of writers beyond what is needed.
  decoder->strictFlags = AVIF_STRICT_DISABLED;
  decoder->imageDimensionLimit = 0;  // the limit is on pixels
  decoder->imageSizeLimit = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      limits.max_pixels, AVIF_DEFAULT_IMAGE_SIZE_LIMIT));
  return decoder;
}

/// Converts to 8 bits a sample. Alpha is dropped; colours that it was
/// multiplied with are divided by it again, which needs it.
avifResult convert(avifImage& from, Image& image) {
  const bool divide =
      from.alphaPlane != nullptr && from.alphaPremultiplied != AVIF_FALSE;
  // Where alpha is not asked for libavif multiplies with it, unless that has
  // been done: so the colours stay as they are.
  from.alphaPremultiplied = AVIF_TRUE;
  avifRGBImage target;
  avifRGBImageSetDefaults(&target, &from);
  target.depth = 8;
  target.format = divide ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  target.ignoreAlpha = divide ? AVIF_FALSE : AVIF_TRUE;
  const std::size_t pixels = image.rgb.size() / 3;
  std::vector<std::uint8_t> rgba(divide ? pixels * 4 : 0);
  target.pixels = divide ? rgba.data() : image.rgb.data();
  target.rowBytes = target.width * (divide ? 4U : 3U);
  const avifResult code = avifImageYUVToRGB(&from, &target);
  for (std::size_t i = 0; divide && i < pixels; ++i) {
    std::memcpy(&image.rgb[3 * i], &rgba[4 * i], 3);
  }
  return code;
}

/// How the container says that the picture is stored: turned against the clock,
/// and after that mirrored.
int orientation_of(const avifImage& image) {
  constexpr std::array<int, 4> kTurned = {kUpright, 8, 3, 6};
  constexpr std::array<int, 4> kMirroredDown = {4, 5, 2, 7};
  constexpr std::array<int, 4> kMirroredAcross = {2, 7, 4, 5};
  const bool turned = (image.transformFlags & AVIF_TRANSFORM_IROT) != 0;
  const std::size_t quarters = turned ? image.irot.angle % 4U : 0U;
  if ((image.transformFlags & AVIF_TRANSFORM_IMIR) == 0) {
    return kTurned[quarters];
  }
  return image.imir.mode == 0 ? kMirroredDown[quarters]
                              : kMirroredAcross[quarters];
}

}  // namespace

Decoded decode_avif(Bytes file, const DecodeOptions& options) {
  const Decoder decoder = make_decoder(options.limits);
  if (decoder == nullptr) {
    return Rejection{
        RejectReason::kTooManyPixels, "AVIF: no memory for a decoder"};
  }
  avifResult code =
      avifDecoderSetIOMemory(decoder.get(), file.data(), file.size());
  if (code == AVIF_RESULT_OK) {
    code = avifDecoderParse(decoder.get());
  }
  if (code != AVIF_RESULT_OK) {
    return reject(file, *decoder, code);
  }
  const std::uint32_t width = decoder->image->width;
  const std::uint32_t height = decoder->image->height;
  if (auto refused = check_size(width, height, options.limits)) {
    return *refused;
  }
  code = avifDecoderNextImage(decoder.get());
  if (code != AVIF_RESULT_OK) {
    return reject(file, *decoder, code);
  }
  if (decoder->image->width != width || decoder->image->height != height) {
    return Rejection{
        RejectReason::kMalformed,
        fmt::format(
            "AVIF: {}x{} pixels where the header says {}x{}",
            decoder->image->width,
            decoder->image->height,
            width,
            height)};
  }
  Image image = make_image(width, height);
  code = convert(*decoder->image, image);
  if (code != AVIF_RESULT_OK) {
    return reject(file, *decoder, code);
  }
  const avifRWData& profile = decoder->image->icc;
  const auto samples = decoder->image->yuvFormat == AVIF_PIXEL_FORMAT_YUV400
                           ? Samples::kGray
                           : Samples::kRgb;
  if (const auto* transform =
          options.color_profiles
              ? find_transform({profile.data, profile.size}, samples)
              : nullptr) {
    transform->convert(image);
  }
  if (options.exif_orientation) {
    turn_upright(
        image, {image.width, image.height}, orientation_of(*decoder->image));
  }
  return image;
}

}  // namespace swavd::loader
