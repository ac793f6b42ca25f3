#pragma once

#include <cstddef>
#include <cstdint>

namespace swavd::loader {

// Colour operations on uint8 levels, in place, each equal to what torchvision
// does to a PIL image: the arithmetic is Pillow's, float32 and truncating.

/// `pivot + factor * (level - pivot)`, clamped. With pivot 0 the brightness,
/// with the mean grey level the contrast.
void scale_levels(
    std::uint8_t* levels,
    std::size_t count,
    float pivot,
    float factor);

/// `grey + factor * (level - grey)` for each pixel, clamped.
void scale_saturation(
    std::uint8_t* red,
    std::uint8_t* green,
    std::uint8_t* blue,
    std::size_t count,
    float factor);

/// Turns the hue by `turn` / 256 of the circle, through 8-bit HSV and back.
void turn_hue(
    std::uint8_t* red,
    std::uint8_t* green,
    std::uint8_t* blue,
    std::size_t count,
    std::uint8_t turn);

/// Replaces R by the grey level: (19595 R + 38470 G + 7471 B + 2^15) / 2^16.
void to_gray(
    std::uint8_t* red,
    const std::uint8_t* green,
    const std::uint8_t* blue,
    std::size_t count);

/// The sum of the grey levels; `count` at most 2^23.
std::uint32_t sum_gray(
    const std::uint8_t* red,
    const std::uint8_t* green,
    const std::uint8_t* blue,
    std::size_t count);

}  // namespace swavd::loader
