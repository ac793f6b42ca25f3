#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/philox.h"
#include "tests/odd_files/odd_files.h"

namespace swavd::odd_files {

/// A file, or a part of one, that is written piece by piece.
class Writer {
 public:
  Writer& text(std::string_view text) { return bytes(as_bytes(text)); }

  Writer& bytes(Bytes bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }

  Writer& u8(std::uint32_t value) { return little(value, 1); }

  Writer& fill(std::size_t count, std::uint8_t value) {
    bytes_.insert(bytes_.end(), count, value);
    return *this;
  }

  /// `count` bytes of `value`, the highest first.
  Writer& big(std::uint32_t value, int count) {
    for (int i = count - 1; i >= 0; --i) {
      bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    return *this;
  }

  /// `count` bytes of `value`, the lowest first.
  Writer& little(std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) {
      bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
    return *this;
  }

  [[nodiscard]] const ByteVector& done() const { return bytes_; }

 private:
  ByteVector bytes_;
};

/// Pixels that are no noise: gradients with edges, `channels` bytes each.
[[nodiscard]] ByteVector
picture(std::uint64_t seed, int width, int height, int channels);

/// The zlib stream of `data`.
[[nodiscard]] ByteVector deflated(Bytes data);

/// A zlib stream of `mebibytes` MiB of `value`, a thousandth of that long.
[[nodiscard]] ByteVector inflating(int mebibytes, std::uint8_t value = 0);

/// The first `size` bytes of `file`.
[[nodiscard]] ByteVector cut(const ByteVector& file, std::size_t size);

/// `file` with the bytes from `at` on replaced by `part`.
[[nodiscard]] ByteVector
overwritten(ByteVector file, std::size_t at, Bytes part);

/// One part of `file` that has a length of its own.
struct Part {
  std::string name;     ///< of the kind: "IDAT", "ffda"
  std::size_t at = 0;   ///< of its first byte
  std::size_t end = 0;  ///< behind its last one
};

// Each gives files of one format; names carry the format. `parts_of` functions
// take a file that the generator has made whole.
using Files = std::vector<OddFile>;
[[nodiscard]] Files jpeg_files(std::uint64_t seed);
[[nodiscard]] Files png_files(std::uint64_t seed);
[[nodiscard]] Files webp_files(std::uint64_t seed);
[[nodiscard]] Files gif_files(std::uint64_t seed);
[[nodiscard]] Files bmp_files(std::uint64_t seed);
[[nodiscard]] Files tiff_files(std::uint64_t seed);
[[nodiscard]] Files avif_files(std::uint64_t seed);
/// What is no image, or two things at once. `jpeg`, `png`, `gif`: good ones.
[[nodiscard]] Files other_files(
    const ByteVector& jpeg,
    const ByteVector& png,
    const ByteVector& gif);

/// The one of this name.
[[nodiscard]] const OddFile& named(const Files& files, std::string_view name);

/// Adds what transfers do to the files of these names: cuts at the borders of
/// all their parts and in their middles, flipped bytes, lost and doubled
/// stretches, garbage behind them.
void add_damaged(
    std::span<const std::string_view> names,
    std::vector<Part> (*parts_of)(const ByteVector& file),
    std::uint64_t seed,
    Files& files);

}  // namespace swavd::odd_files
