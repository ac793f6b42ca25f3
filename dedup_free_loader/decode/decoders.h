#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "dedup_free_loader/image.h"
#include "ops/base/bytes.h"

namespace swavd::loader {

/// What every decoder gives: the picture, or why there is none.
using Decoded = std::variant<Image, Rejection>;

// One function per format. Each takes a file whose signature `sniff_format`
// has recognised, checks the limit in pixels on the header, and never aborts,
// exits or throws (but for std::bad_alloc, which `decode_image` catches).
// All give what is stored, but for a TIFF, and an AVIF where the options ask
// for it. `decode_jpeg` may give a part, see `decode_image`; `choose` may be
// empty.
[[nodiscard]] Decoded decode_jpeg(
    Bytes file,
    const DecodeOptions& options,
    const ChooseRegion& choose);
[[nodiscard]] Decoded decode_png(Bytes file, const DecodeOptions& options);
[[nodiscard]] Decoded decode_webp(Bytes file, const DecodeOptions& options);
[[nodiscard]] Decoded decode_gif(Bytes file, const DecodeOptions& options);
[[nodiscard]] Decoded decode_bmp(Bytes file, const DecodeOptions& options);
[[nodiscard]] Decoded decode_tiff(Bytes file, const DecodeOptions& options);
[[nodiscard]] Decoded decode_avif(Bytes file, const DecodeOptions& options);

/// Why a picture of this size is refused, if it is.
[[nodiscard]] std::optional<Rejection> check_size(
    std::uint64_t width,
    std::uint64_t height,
    const DecodeLimits& limits);

/// Why a picture of this size is not believed to be in `file`, if it is not: it
/// is large, and the file so small that all of it would be one colour. To be
/// asked before memory is taken for pixels.
[[nodiscard]] std::optional<Rejection>
check_density(std::uint64_t width, std::uint64_t height, Bytes file);

/// A picture of `width` x `height` black pixels.
[[nodiscard]] Image make_image(std::uint64_t width, std::uint64_t height);

}  // namespace swavd::loader
