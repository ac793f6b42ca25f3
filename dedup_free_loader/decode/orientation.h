#pragma once

#include <cstdint>

#include "dedup_free_loader/image.h"

namespace swavd::loader {

/// How a picture is stored, in the numbers of TIFF and EXIF: 1 upright,
/// 2 mirrored left to right, 3 upside down, 4 mirrored top to bottom, 5 to 8
/// these with rows and columns exchanged. Any other number stands for 1 below.
inline constexpr int kUpright = 1;

/// Of a picture of `stored` sides once it is turned upright.
[[nodiscard]] PictureSize upright_sides(
    const PictureSize& stored,
    int orientation);

/// The region of the stored picture that becomes `upright`.
[[nodiscard]] Region stored_region(
    const Region& upright,
    const PictureSize& stored,
    int orientation);

/// Turns `image`, a part of a picture of `stored` sides or all of it, upright.
void turn_upright(Image& image, const PictureSize& stored, int orientation);

}  // namespace swavd::loader
