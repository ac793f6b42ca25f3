#include "dedup_free_loader/decode/samples.h"

#include <cstring>

namespace swavd::loader {

Palette gray_palette() {
  Palette palette;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    palette[i].fill(static_cast<std::uint8_t>(i));
  }
  return palette;
}

void unpack_samples(
    const std::uint8_t* packed,
    int bits,
    std::size_t count,
    std::uint8_t* samples) {
  constexpr std::size_t kByte = 8;
  const auto width = static_cast<std::size_t>(bits);
  const unsigned mask = (1U << width) - 1U;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t bit = i * width;
    const std::size_t shift = kByte - width - bit % kByte;
    samples[i] = static_cast<std::uint8_t>(
        (unsigned{packed[bit / kByte]} >> shift) & mask);
  }
}

void apply_palette(
    const std::uint8_t* indices,
    const Palette& palette,
    std::size_t count,
    std::uint8_t* rgb) {
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(rgb + 3 * i, palette[indices[i]].data(), 3);
  }
}

void fill(Image& image, const std::array<std::uint8_t, 3>& color) {
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    std::memcpy(&image.rgb[i], color.data(), 3);
  }
}

void ink_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb) {
  constexpr unsigned kFull = 255;
  const unsigned white = kFull - cmyk[3];
  for (std::size_t c = 0; c < 3; ++c) {
    // The share of the ink, rounded.
    const unsigned ink = cmyk[c] * white + 128U;
    rgb[c] = static_cast<std::uint8_t>(white - ((ink + (ink >> 8U)) >> 8U));
  }
}

}  // namespace swavd::loader
