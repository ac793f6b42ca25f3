#pragma once

#include <cstdint>
#include <vector>

#include "dedup_free_loader/image.h"
#include "dedup_free_loader/render/planes.h"
#include "dedup_free_loader/render/taps.h"

namespace swavd::loader {

/// Memory of one thread, kept from call to call.
struct ResizeScratch {
  std::vector<std::uint8_t> rows;     // resized along x only
  std::vector<std::uint8_t> row;      // one row, all channels
  std::vector<std::uint8_t> last;     // a copy of one of the image's last rows
  std::vector<std::int32_t> offsets;  // of the columns' first taps, in bytes
  std::vector<std::int32_t> halves;   // of the columns' weights
};

/// Resamples a region of `image` whose first pixel is (x, y), as Pillow's
/// `resize(BILINEAR)` on the cut-out region: along x first, rounded to uint8,
/// then along y. `columns` and `rows` count from (x, y) and must stay inside
/// the image. Writes `rows.count()` rows of `columns.count()` pixels.
void resize(
    const ImageView& image,
    std::int32_t x,
    std::int32_t y,
    const Taps& columns,
    const Taps& rows,
    ResizeScratch& scratch,
    const Planes& out);

}  // namespace swavd::loader
