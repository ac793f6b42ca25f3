#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <spng.h>

#include "dedup_free_loader/decode/color_profile.h"
#include "dedup_free_loader/decode/decoders.h"
#include "dedup_free_loader/decode/parts.h"
#include "dedup_free_loader/decode/samples.h"

namespace swavd::loader {

namespace {

// Profiles and texts unpack up to a thousandfold; nothing here reads them.
constexpr std::size_t kMaxChunkBytes = 8U << 20U;
constexpr std::size_t kMaxChunksBytes = 8U << 20U;

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

using Context = std::unique_ptr<spng_ctx, FreeContext>;

RejectReason reason_of(int code) {
  switch (code) {
    case SPNG_EOF:
    case SPNG_IO_EOF:
    case SPNG_EIDAT_TOO_SHORT:
      return RejectReason::kTruncated;
    case SPNG_EMEM:
    case SPNG_EOVERFLOW:
      return RejectReason::kTooManyPixels;
    case SPNG_ECHUNK_LIMITS:
    case SPNG_ECHUNK_UNKNOWN_CRITICAL:
      return RejectReason::kUnsupported;
    default:
      return RejectReason::kMalformed;
  }
}

Rejection reject(int code) {
  return {reason_of(code), fmt::format("PNG: {}", spng_strerror(code))};
}

/// A copy of a file that ends early, as if no more had been meant to come:
/// libspng takes nothing from a chunk that is cut.
ByteVector completed(Bytes file) {
  constexpr std::size_t kNumber = 4;
  constexpr std::array<std::uint8_t, 16> kRest = {
      0,
      0,
      0,
      0,  // a checksum, not looked at
      0,
      0,
      0,
      0,
      'I',
      'E',
      'N',
      'D',
      0xae,
      0x42,
      0x60,
      0x82};
  std::optional<FilePart> last;
  FileParts parts(file);
  while (const auto part = parts.next()) {
    last = part;
  }
  if (!last) {
    return {};
  }
  const auto place = static_cast<std::size_t>(last->data.data() - file.data());
  const std::size_t length = last->data.size();
  ByteVector copy(place + length + kRest.size());
  std::copy_n(file.begin(), place + length, copy.begin());
  for (std::size_t i = 0; i < kNumber; ++i) {
    copy[place - 2 * kNumber + i] =
        static_cast<std::uint8_t>(length >> (8 * (kNumber - 1 - i)));
  }
  std::copy(kRest.begin(), kRest.end(), copy.end() - kRest.size());
  return copy;
}

/// Decodes into `pixels`, bytes of any memory; 0 or an error of libspng.
template <typename Pixels>
int decode_pixels(spng_ctx* context, int format, Pixels& pixels) {
  std::size_t needed = 0;
  const int sized = spng_decoded_image_size(context, format, &needed);
  if (sized != 0) {
    return sized;
  }
  pixels.resize(needed);
  return spng_decode_image(context, pixels.data(), needed, format, /*flags=*/0);
}

/// 16-bit grey is Pillow's mode "I", whose conversion clips at 255 instead of
/// dropping the low byte.
int decode_gray16(spng_ctx* context, Image& image) {
  ByteVector big_endian;
  const int code = decode_pixels(context, SPNG_FMT_RAW, big_endian);
  for (std::size_t i = 0; i < big_endian.size() / 2; ++i) {
    const std::uint8_t high = big_endian[2 * i];
    const std::uint8_t gray = high == 0 ? big_endian[2 * i + 1] : 255;
    image.rgb[3 * i] = image.rgb[3 * i + 1] = image.rgb[3 * i + 2] = gray;
  }
  return code;
}

Samples samples_of(const spng_ihdr& header) {
  return header.color_type == SPNG_COLOR_TYPE_GRAYSCALE ||
                 header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA
             ? Samples::kGray
             : Samples::kRgb;
}

const SrgbTransform* transform_of(spng_ctx* context, const spng_ihdr& header) {
  spng_iccp found{};
  if (spng_get_iccp(context, &found) != 0) {
    return nullptr;
  }
  const auto* const bytes =
      reinterpret_cast<const std::uint8_t*>(found.profile);
  return find_transform({bytes, found.profile_len}, samples_of(header));
}

enum class Reading { kWhole, kAsFarAsItGoes };

Decoded decode(Bytes file, const DecodeOptions& options, Reading reading) {
  const Context context(spng_ctx_new(/*flags=*/0));
  if (context == nullptr) {
    return reject(SPNG_EMEM);
  }
  spng_set_chunk_limits(context.get(), kMaxChunkBytes, kMaxChunksBytes);
  const bool whole = reading == Reading::kWhole;
  // A bad checksum in a text or a profile does not touch the pixels.
  spng_set_crc_action(
      context.get(),
      whole ? SPNG_CRC_ERROR : SPNG_CRC_USE,
      whole ? SPNG_CRC_DISCARD : SPNG_CRC_USE);
  spng_set_png_buffer(context.get(), file.data(), file.size());
  spng_ihdr header{};
  if (const int code = spng_get_ihdr(context.get(), &header); code != 0) {
    return reject(code);
  }
  if (auto refused = check_size(header.width, header.height, options.limits)) {
    return *refused;
  }
  if (auto refused = check_density(header.width, header.height, file)) {
    return *refused;
  }
  const SrgbTransform* const transform =
      options.color_profiles ? transform_of(context.get(), header) : nullptr;
  const bool gray16 =
      header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth == 16;
  Image image = make_image(header.width, header.height);
  if (spng_plte palette{}; !whole &&
                           header.color_type == SPNG_COLOR_TYPE_INDEXED &&
                           spng_get_plte(context.get(), &palette) == 0) {
    const spng_plte_entry& first = palette.entries[0];
    fill(image, {first.red, first.green, first.blue});
  }
  // RGB8 drops alpha and low bytes and scales few bits up, as Pillow does.
  const int code = gray16
                       ? decode_gray16(context.get(), image)
                       : decode_pixels(context.get(), SPNG_FMT_RGB8, image.rgb);
  if (code != 0 && (whole || reason_of(code) != RejectReason::kTruncated)) {
    return reject(code);
  }
  image.filled = code != 0;
  if (transform != nullptr) {
    transform->convert(image);
  }
  return image;
}

}  // namespace

Decoded decode_png(Bytes file, const DecodeOptions& options) {
  Decoded decoded = decode(file, options, Reading::kWhole);
  if (const auto* rejection = std::get_if<Rejection>(&decoded);
      rejection != nullptr && options.fill_truncated &&
      rejection->reason == RejectReason::kTruncated) {
    return decode(completed(file), options, Reading::kAsFarAsItGoes);
  }
  return decoded;
}

}  // namespace swavd::loader
