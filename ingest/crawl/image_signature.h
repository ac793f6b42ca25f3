#pragma once

#include <cstddef>
#include <string_view>

#include "ops/base/bytes.h"

namespace swavd::ingest {

/// Bytes of a file that `looks_like_image` wants to see.
inline constexpr std::size_t kSignatureBytes = 16;

/// True when `front`, the first bytes of a file, carries the signature of a
/// raster image format of the web: JPEG, PNG, GIF, WebP, AVIF, HEIF, BMP,
/// TIFF, ICO, JPEG XL, JPEG 2000. Whether it decodes is the loader's matter.
[[nodiscard]] bool looks_like_image(Bytes front);

/// True for a Content-Type of "image/…", in any letter case.
[[nodiscard]] bool names_image(std::string_view content_type);

}  // namespace swavd::ingest
