#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace swavd::loader {

/// Which output pixels of an axis are wanted, and how it is resized.
struct Axis {
  std::int32_t in_size = 0;  ///< source pixels
  // How much at either end is not resized, in source pixels; parts of pixels
  // are meant: what is resized is Pillow's `box`.
  double cut_front = 0;
  double cut_back = 0;
  std::int64_t out_size = 0;  ///< pixels of the whole resized axis
  std::int64_t first = 0;     ///< the first output pixel wanted
  std::int32_t count = 0;     ///< output pixels wanted
  bool mirrored = false;      ///< give them in the opposite order
};

/// The weights of Pillow's antialiased bilinear filter along one axis, in its
/// 22-bit fixed point. Every output pixel has the same number of taps, padded
/// with zero weights that change nothing.
class Taps {
 public:
  /// Computes the weights for `axis`; reuses memory. A source axis and a count
  /// of at least 1, and something left between the cuts.
  void assign(const Axis& axis);

  /// Taps of each output pixel.
  [[nodiscard]] std::int32_t taps() const { return taps_; }

  /// Output pixels, without the padding of `begins` and `weights`.
  [[nodiscard]] std::int32_t count() const { return count_; }

  /// [count rounded up to 4] the source pixel of each first tap, within
  /// [0, in_size - taps].
  [[nodiscard]] std::span<const std::int32_t> begins() const { return begins_; }

  /// [count rounded up to 4, taps] weights; those of a pixel sum to 2^22 but
  /// for rounding.
  [[nodiscard]] std::span<const std::int32_t> weights() const {
    return weights_;
  }

 private:
  /// Sets `begins_`, `ends_` and `taps_`; makes room for the weights.
  void find_bounds(const Axis& axis);

  std::int32_t taps_ = 0;
  std::int32_t count_ = 0;
  std::vector<std::int32_t> begins_;
  std::vector<std::int32_t> ends_;
  std::vector<std::int32_t> weights_;
  std::vector<double> exact_;  // of one pixel
};

/// Bits behind the point of a weight.
inline constexpr int kWeightBits = 22;

}  // namespace swavd::loader
