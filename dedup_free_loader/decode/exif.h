#pragma once

#include "ops/base/bytes.h"

namespace swavd::loader {

/// How a JPEG, PNG or WebP file says by its EXIF that its picture is stored,
/// 1 to 8; see orientation.h. 1 when it says nothing, or nothing that can be
/// read: EXIF that is broken is no reason to refuse a picture.
[[nodiscard]] int exif_orientation(Bytes file);

/// What the EXIF itself, a TIFF header and its first directory, says: likewise.
[[nodiscard]] int orientation_of_exif(Bytes exif);

}  // namespace swavd::loader
