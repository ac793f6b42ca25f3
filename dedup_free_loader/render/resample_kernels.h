#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace swavd::loader {

/// Bytes that may be read behind a row, and what rows are rounded up to.
inline constexpr std::size_t kRowSlack = 64;

/// Bytes that `resample_row` reads behind the last tap's pixel at most.
inline constexpr std::size_t kReadBehind = 5;

constexpr std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// The columns of a resized row.
struct RowTaps {
  const std::int32_t* offsets;  ///< [count] bytes to a pixel's first tap
  const std::int32_t* weights;  ///< [count, taps]
  const std::int32_t* halves;   ///< what `halve_weights` made of them
  std::size_t taps;
};

/// Splits weights of 22 bits in two halves of 11, which a multiplication of 16
/// bits takes two of at once: exact all the same. For each two of the `count`
/// pixels (an even number) and each two of the taps (0 behind the last) the
/// upper halves of the first and of the second pixel, then the lower ones, each
/// four times: as they are multiplied with the levels of R, G, B and nothing.
void halve_weights(
    const std::int32_t* weights,
    std::size_t count,
    std::size_t taps,
    std::vector<std::int32_t>& halves);

/// Resamples one row of interleaved RGB: `count` pixels, a multiple of 4, to
/// `out`, all R, then all G, then all B. Reads up to `kReadBehind` bytes
/// behind the last tap's pixel.
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
