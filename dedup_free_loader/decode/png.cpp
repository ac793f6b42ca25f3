#include <memory>

#include <fmt/format.h>
#include <spng.h>

#include "dedup_free_loader/decode/decoders.h"

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
  if (code != 0) {
    return code;
  }
  for (std::size_t i = 0; i < big_endian.size() / 2; ++i) {
    const std::uint8_t high = big_endian[2 * i];
    const std::uint8_t gray = high == 0 ? big_endian[2 * i + 1] : 255;
    image.rgb[3 * i] = image.rgb[3 * i + 1] = image.rgb[3 * i + 2] = gray;
  }
  return 0;
}

}  // namespace

Decoded decode_png(Bytes file, const DecodeLimits& limits) {
  const Context context(spng_ctx_new(/*flags=*/0));
  if (context == nullptr) {
    return reject(SPNG_EMEM);
  }
  spng_set_chunk_limits(context.get(), kMaxChunkBytes, kMaxChunksBytes);
  // A bad checksum in a text or a profile does not touch the pixels.
  spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
  spng_set_png_buffer(context.get(), file.data(), file.size());
  spng_ihdr header{};
  if (const int code = spng_get_ihdr(context.get(), &header); code != 0) {
    return reject(code);
  }
  if (auto refused = check_size(header.width, header.height, limits)) {
    return *refused;
  }
  if (auto refused = check_density(header.width, header.height, file)) {
    return *refused;
  }
  const bool gray16 =
      header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth == 16;
  Image image = make_image(header.width, header.height);
  // RGB8 drops alpha and low bytes and scales few bits up, as Pillow does.
  const int code = gray16
                       ? decode_gray16(context.get(), image)
                       : decode_pixels(context.get(), SPNG_FMT_RGB8, image.rgb);
  if (code != 0) {
    return reject(code);
  }
  return image;
}

}  // namespace swavd::loader
