#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace swavd::e2e {

/// A PNG file of size x size pixels of noise; another one for every seed.
[[nodiscard]] std::string noise_png(std::uint64_t seed, int size = 12);

/// A JPEG file of size x size pixels of noise; another one for every seed.
[[nodiscard]] std::string noise_jpeg(std::uint64_t seed, int size = 12);

/// A PNG file of size x size pixels near one colour (0xRRGGBB), with noise.
[[nodiscard]] std::string
coloured_png(std::uint32_t colour, std::uint64_t seed, int size = 32);
/// A PNG file of size x size pixels of one colour; another one for every seed.
[[nodiscard]] std::string plain_png(std::uint64_t seed, int size = 12);

/// A PNG file of one grey: a few kilobytes however large the picture is.
[[nodiscard]] std::string gray_png(int width, int height);

/// A JPEG that ends in the middle of its image: rejected as "truncated".
[[nodiscard]] std::string cut_jpeg(std::uint64_t seed);

/// `bytes` bytes that begin like no image: rejected as "unknown_format".
[[nodiscard]] std::string junk(std::uint64_t seed, std::size_t bytes);

/// What `fill_folder` wrote.
struct ImageCounts {
  std::uint64_t good = 0;
  std::uint64_t bad = 0;
};

/// Writes files 000000.png, 000001.jpg, … of distinct content into a folder,
/// PNG and JPEG in turn; every `bad_every`-th (0: none) is no image: by turns
/// cut, junk, and once empty.
ImageCounts fill_folder(
    const std::string& folder,
    std::uint64_t files,
    std::uint64_t bad_every,
    std::uint64_t first_seed = 0);

}  // namespace swavd::e2e
