#pragma once

#include <optional>

#include "dedup_free_loader/image.h"
#include "ops/base/bytes.h"

namespace swavd::loader {

/// The size in a JPEG file's first frame header, found by stepping over the
/// segments before it (ITU-T T.81, B.2); nullopt when there is none where it
/// should be, or one of no pixels. A guess, made without a decoder: what a
/// decoder makes of the file may be something else.
[[nodiscard]] std::optional<PictureSize> guess_jpeg_size(Bytes file);

}  // namespace swavd::loader
