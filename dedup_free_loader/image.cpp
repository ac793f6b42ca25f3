#include "dedup_free_loader/image.h"

#include <algorithm>
#include <cstdint>
#include <exception>

#include <fmt/format.h>

#include "dedup_free_loader/decode/decoders.h"
#include "dedup_free_loader/decode/exif.h"
#include "dedup_free_loader/decode/orientation.h"

namespace swavd::loader {

namespace {

enum class Format {
  kUnknown,
  kJpeg,
  kPng,
  kWebp,
  kGif,
  kBmp,
  kTiff,
  kAvif,
};

bool starts_with(Bytes file, std::string_view signature) {
  return as_text(file).starts_with(signature);
}

/// A BMP begins with two letters that may as well be a text's: the length of
/// the header behind the file's own, a small number, tells them apart.
bool is_bmp(Bytes file) {
  constexpr std::size_t kLength = 14;
  constexpr std::uint8_t kLeast = 12;
  return starts_with(file, "BM") && file.size() >= kLength + 4 &&
         file[kLength] >= kLeast && file[kLength + 1] == 0 &&
         file[kLength + 2] == 0 && file[kLength + 3] == 0;
}

/// Both orders of bytes, each with 32-bit and with 64-bit offsets.
bool is_tiff(Bytes file) {
  return starts_with(file, {"II*\0", 4}) || starts_with(file, {"MM\0*", 4}) ||
         starts_with(file, {"II+\0", 4}) || starts_with(file, {"MM\0+", 4});
}

/// The brands of a file of the ISO base media family, four letters each: the
/// main one, four bytes of version, those that it is compatible with.
std::string_view brands_of(Bytes file) {
  constexpr std::size_t kHeader = 8;
  if (file.size() < kHeader + 4 || !starts_with(file.subspan(4), "ftyp")) {
    return {};
  }
  const std::size_t length = std::size_t{file[2]} << 8U | file[3];
  const bool is_short = file[0] == 0 && file[1] == 0;
  const std::size_t end =
      is_short ? std::min(length, file.size()) : file.size();
  return as_text(file.first(end)).substr(std::min(end, kHeader));
}

bool has_brand(std::string_view brands, std::string_view brand) {
  for (std::size_t at = 0; at + 4 <= brands.size(); at += 4) {
    if (brands.substr(at, 4) == brand) {
      return true;
    }
  }
  return false;
}

bool is_avif(Bytes file) {
  const std::string_view brands = brands_of(file);
  return has_brand(brands, "avif") || has_brand(brands, "avis");
}

Format format_of(Bytes file) {
  if (starts_with(file, "\xff\xd8\xff")) {
    return Format::kJpeg;
  }
  if (starts_with(file, "\x89PNG\r\n\x1a\n")) {
    return Format::kPng;
  }
  if (starts_with(file, "GIF87a") || starts_with(file, "GIF89a")) {
    return Format::kGif;
  }
  // "RIFF", the length of what follows, "WEBP".
  if (starts_with(file, "RIFF") && file.size() >= 12 &&
      starts_with(file.subspan(8), "WEBP")) {
    return Format::kWebp;
  }
  if (is_bmp(file)) {
    return Format::kBmp;
  }
  if (is_tiff(file)) {
    return Format::kTiff;
  }
  if (is_avif(file)) {
    return Format::kAvif;
  }
  return Format::kUnknown;
}

Rejection unknown_format(Bytes file) {
  const std::string_view brands = brands_of(file);
  for (const std::string_view brand : {"heic", "heix", "mif1", "msf1"}) {
    if (has_brand(brands, brand)) {
      return {
          RejectReason::kUnknownFormat,
          fmt::format("a HEIF file (brand {}) that is no AVIF", brand)};
    }
  }
  const Bytes head = file.first(std::min<std::size_t>(file.size(), 8));
  return {
      RejectReason::kUnknownFormat,
      fmt::format(
          "begins with {}, which is no JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF",
          to_hex(head))};
}

/// Of the formats that are decoded whole whatever is needed.
Decoded whole(Decoded decoded, const ChooseRegion& choose) {
  if (const auto* image = std::get_if<Image>(&decoded); image && choose) {
    choose(image->width, image->height);
  }
  return decoded;
}

Decoded decode_known(
    Bytes file,
    const DecodeOptions& options,
    const ChooseRegion& choose) {
  switch (format_of(file)) {
    case Format::kJpeg:
      return decode_jpeg(file, options, choose);
    case Format::kPng:
      return whole(decode_png(file, options), choose);
    case Format::kWebp:
      return whole(decode_webp(file, options), choose);
    case Format::kGif:
      return whole(decode_gif(file, options), choose);
    case Format::kBmp:
      return whole(decode_bmp(file, options), choose);
    case Format::kTiff:
      return whole(decode_tiff(file, options), choose);
    case Format::kAvif:
      return whole(decode_avif(file, options), choose);
    case Format::kUnknown:
      break;
  }
  return unknown_format(file);
}

/// Likewise, and turns it: whoever chooses sees the picture upright, whoever
/// decodes as it is stored. Never smaller: of a side that is no multiple of the
/// denominator it would be the first pixel that stands for fewer.
Decoded decode_turned(
    Bytes file,
    const DecodeOptions& options,
    const ChooseRegion& choose,
    int orientation) {
  PictureSize stored;
  const auto choose_stored = [&](std::int32_t width, std::int32_t height) {
    stored = {width, height};
    if (!choose) {
      return Region{.width = width, .height = height};
    }
    const PictureSize upright = upright_sides(stored, orientation);
    return stored_region(
        choose(upright.width, upright.height).region, stored, orientation);
  };
  Decoded decoded = decode_known(file, options, choose_stored);
  if (auto* image = std::get_if<Image>(&decoded)) {
    turn_upright(*image, stored, orientation);
  }
  return decoded;
}

}  // namespace

std::string_view to_string(RejectReason reason) {
  switch (reason) {
    case RejectReason::kEmpty:
      return "empty";
    case RejectReason::kUnknownFormat:
      return "unknown_format";
    case RejectReason::kTruncated:
      return "truncated";
    case RejectReason::kMalformed:
      return "malformed";
    case RejectReason::kUnsupported:
      return "unsupported";
    case RejectReason::kTooManyPixels:
      return "too_many_pixels";
    case RejectReason::kTooLarge:
      return "too_large";
    case RejectReason::kTimeout:
      return "timeout";
    case RejectReason::kDecoderCrashed:
      return "decoder_crashed";
  }
  return "malformed";
}

std::string_view sniff_format(Bytes file) {
  switch (format_of(file)) {
    case Format::kJpeg:
      return "jpeg";
    case Format::kPng:
      return "png";
    case Format::kWebp:
      return "webp";
    case Format::kGif:
      return "gif";
    case Format::kBmp:
      return "bmp";
    case Format::kTiff:
      return "tiff";
    case Format::kAvif:
      return "avif";
    case Format::kUnknown:
      break;
  }
  return "unknown";
}

Region scaled_down(const Region& region, std::int32_t denominator) {
  // In 64 bits: a picture may end at the largest number that has 32.
  const auto end = [denominator](std::int32_t begin, std::int32_t length) {
    const std::int64_t last = std::int64_t{begin} + length - 1;
    return static_cast<std::int32_t>(last / denominator + 1);
  };
  const std::int32_t x = region.x / denominator;
  const std::int32_t y = region.y / denominator;
  return {
      .x = x,
      .y = y,
      .width = end(region.x, region.width) - x,
      .height = end(region.y, region.height) - y};
}

std::variant<Image, Rejection> decode_image(
    Bytes file,
    const DecodeOptions& options,
    const ChooseRegion& choose) {
  const DecodeLimits& limits = options.limits;
  if (file.empty()) {
    return Rejection{RejectReason::kEmpty, "no bytes"};
  }
  if (file.size() > limits.max_bytes) {
    return Rejection{
        RejectReason::kTooLarge,
        fmt::format(
            "{} bytes, the limit is {}", file.size(), limits.max_bytes)};
  }
  try {
    const int orientation =
        options.exif_orientation ? exif_orientation(file) : kUpright;
    return orientation == kUpright
               ? decode_known(file, options, choose)
               : decode_turned(file, options, choose, orientation);
  } catch (const std::exception& error) {
    // Only memory can be the cause. The pixel limit is there to prevent it.
    return Rejection{
        RejectReason::kTooManyPixels,
        fmt::format("no memory for the picture: {}", error.what())};
  }
}

}  // namespace swavd::loader
