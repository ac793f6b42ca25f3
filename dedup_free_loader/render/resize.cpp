#include "dedup_free_loader/render/resize.h"

#include <algorithm>
#include <cstring>

#include "dedup_free_loader/render/resample_kernels.h"
#include "ops/base/check.h"

namespace swavd::loader {

namespace {

/// Source rows [begin, end) that `rows` refers to.
struct Span {
  std::int32_t begin, end;
};

Span used_rows(const Taps& rows) {
  // Mirroring may have put the first row last.
  const auto count = static_cast<std::size_t>(rows.count());
  const auto used = rows.begins().first(count);
  const auto [low, high] = std::minmax_element(used.begin(), used.end());
  return {*low, *high + rows.taps()};
}

/// A pointer to pixel (x, y) whose row may be read a few bytes beyond its end.
const std::uint8_t* readable_row(
    const ImageView& image,
    std::int32_t x,
    std::int32_t y,
    std::vector<std::uint8_t>& copy) {
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  const std::size_t left = static_cast<std::size_t>(x) * 3;
  const std::uint8_t* row = image.rgb + static_cast<std::size_t>(y) * stride;
  const auto rows_below = static_cast<std::size_t>(image.height - 1 - y);
  if (rows_below * stride >= kReadBehind) {
    return row + left;
  }
  copy.resize(stride - left + kRowSlack);
  std::memcpy(copy.data(), row + left, stride - left);
  return copy.data();
}

}  // namespace

void resize(
    const ImageView& image,
    std::int32_t x,
    std::int32_t y,
    const Taps& columns,
    const Taps& rows,
    ResizeScratch& scratch,
    const Planes& out) {
  SWAVD_CHECK(out.size == static_cast<std::size_t>(columns.count()));
  SWAVD_CHECK(out.size == static_cast<std::size_t>(rows.count()));
  const std::size_t width = columns.begins().size();  // padded
  const std::size_t pitch = round_up(3 * width, kRowSlack);
  const Span used = used_rows(rows);
  scratch.offsets.resize(width);
  for (std::size_t i = 0; i < width; ++i) {
    scratch.offsets[i] = columns.begins()[i] * 3;
  }
  const auto column_taps = static_cast<std::size_t>(columns.taps());
  halve_weights(columns.weights().data(), width, column_taps, scratch.halves);
  scratch.rows.resize(static_cast<std::size_t>(used.end - used.begin) * pitch);
  for (std::int32_t row = used.begin; row < used.end; ++row) {
    resample_row(
        readable_row(image, x, y + row, scratch.last),
        {scratch.offsets.data(),
         columns.weights().data(),
         scratch.halves.data(),
         column_taps},
        width,
        &scratch.rows[static_cast<std::size_t>(row - used.begin) * pitch]);
  }
  scratch.row.resize(pitch);
  const auto taps = static_cast<std::size_t>(rows.taps());
  for (std::size_t i = 0; i < out.size; ++i) {
    const auto first = static_cast<std::size_t>(rows.begins()[i] - used.begin);
    blend_rows(
        &scratch.rows[first * pitch],
        pitch,
        {&rows.weights()[i * taps], taps},
        scratch.row.data());
    for (std::size_t c = 0; c < 3; ++c) {
      std::memcpy(
          out.plane[c] + i * out.size,
          scratch.row.data() + c * width,
          out.size);
    }
  }
}

}  // namespace swavd::loader
