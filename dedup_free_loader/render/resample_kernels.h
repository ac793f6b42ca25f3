#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace swavd::loader {

/// Bytes that may be read behind a row, and what rows are rounded up to.
inline constexpr std::size_t kRowSlack = 64;

constexpr std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// The columns of a resized row.
struct RowTaps {
  const std::int32_t* offsets;  ///< [count] bytes to a pixel's first tap
  const std::int32_t* weights;  ///< [count, taps]
  std::size_t taps;
};

/// Resamples one row of interleaved RGB: `count` pixels, a multiple of 4, to
/// `out`, all R, then all G, then all B. Reads up to one byte behind the last
/// tap's pixel.
void resample_row(
    const std::uint8_t* row,
    const RowTaps& columns,
    std::size_t count,
    std::uint8_t* out);

/// The weighted sum of consecutive rows of `pitch` bytes, a multiple of
/// `kRowSlack`, from `rows` on, one weight per row.
void blend_rows(
    const std::uint8_t* rows,
    std::size_t pitch,
    std::span<const std::int32_t> weights,
    std::uint8_t* out);

}  // namespace swavd::loader
