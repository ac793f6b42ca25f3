#pragma once

#include "dedup_free_loader/image.h"

namespace swavd::loader {

/// How a picture is stored, in the numbers of TIFF and EXIF: 1 upright,
/// 2 mirrored left to right, 3 upside down, 4 mirrored top to bottom, 5 to 8
/// these with rows and columns exchanged.
inline constexpr int kUpright = 1;

/// Turns a whole picture upright. Any other number than those above leaves it
/// as it is.
void turn_upright(Image& image, int orientation);

}  // namespace swavd::loader
