#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::loader {

/// A decoded picture: uint8 sRGB, [height, width, 3], C-contiguous.
struct Image {
  std::int32_t width = 0;   ///< pixels
  std::int32_t height = 0;  ///< pixels
  ByteVector rgb;
};

/// Why a record cannot be trained on.
enum class RejectReason {
  kEmpty,          ///< no bytes
  kUnknownFormat,  ///< not JPEG, PNG, WebP or GIF by its first bytes
  kTruncated,      ///< ends before its image does
  kMalformed,      ///< the decoder refuses it
  kUnsupported,    ///< a real image, of a kind we do not decode
  kTooManyPixels,  ///< above the pixel limit
  kTooLarge,       ///< above the limit in bytes
};

/// The word for a reason in logs, metric labels and dead letters:
/// "empty", "unknown_format", "truncated", "malformed", "unsupported",
/// "too_many_pixels", "too_large".
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

/// Decodes one image file: JPEG, PNG, WebP or GIF (first frame), told by
/// content, to RGB as Pillow's `convert("RGB")` gives it (alpha dropped, grey
/// repeated, CMYK by its naive formula). Limits are checked on the header,
/// before pixels are allocated. Thread-safe; throws nothing.
[[nodiscard]] std::variant<Image, Rejection> decode_image(
    Bytes file,
    const DecodeLimits& limits);

/// The picture as a PNG file, 8-bit RGB. Errors: kInvalidArgument (sizes that
/// do not fit the bytes), kExhausted.
[[nodiscard]] Result<ByteVector> encode_png(const Image& image);

/// "jpeg", "png", "webp", "gif" or "unknown": the content's own signature.
[[nodiscard]] std::string_view sniff_format(Bytes file);

}  // namespace swavd::loader
