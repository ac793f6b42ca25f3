#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dedup_free_loader/image.h"

namespace swavd::loader {

/// Colours by index, red, green, blue each.
using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

/// A shade of grey for every index: what one without an entry stands for, as in
/// Pillow.
[[nodiscard]] Palette gray_palette();

/// Unpacks `count` samples of 1, 2, 4 or 8 bits, the first in the highest bits
/// of its byte.
void unpack_samples(
    const std::uint8_t* packed,
    int bits,
    std::size_t count,
    std::uint8_t* samples);

/// Colours of `count` indices; `rgb` has room for three bytes each.
void apply_palette(
    const std::uint8_t* indices,
    const Palette& palette,
    std::size_t count,
    std::uint8_t* rgb);

/// Makes all pixels this colour.
void fill(Image& image, const std::array<std::uint8_t, 3>& color);

/// The RGB of one pixel of ink, of which 0 is none: Pillow's formula.
void ink_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb);

}  // namespace swavd::loader
