#include "dedup_free_loader/render/taps.h"

#include <algorithm>
#include <cmath>

#include "ops/base/check.h"

namespace swavd::loader {

namespace {

/// Where the output pixels lie on the source axis.
struct Geometry {
  double scale;    // source pixels per output pixel
  double support;  // half the width of the filter, in source pixels

  explicit Geometry(const Axis& axis)
      : scale(
            (axis.in_size - axis.cut_front - axis.cut_back) /
            static_cast<double>(axis.out_size)),
        support(std::max(scale, 1.0)) {}

  /// The centre of the i-th wanted output pixel.
  [[nodiscard]] double center(const Axis& axis, std::int32_t i) const {
    const std::int32_t j = axis.mirrored ? axis.count - 1 - i : i;
    return axis.cut_front + (static_cast<double>(axis.first + j) + 0.5) * scale;
  }
};

double triangle(double x) {
  const double distance = std::abs(x);
  return distance < 1.0 ? 1.0 - distance : 0.0;
}

}  // namespace

void Taps::find_bounds(const Axis& axis) {
  const auto count = static_cast<std::size_t>(axis.count);
  const std::size_t padded = (count + 3) / 4 * 4;
  begins_.assign(padded, 0);
  ends_.assign(count, 0);
  const Geometry geometry(axis);
  const double last = axis.in_size;
  taps_ = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double center = geometry.center(axis, static_cast<std::int32_t>(i));
    begins_[i] = static_cast<std::int32_t>(
        std::max(center - geometry.support + 0.5, 0.0));
    ends_[i] = static_cast<std::int32_t>(
        std::min(center + geometry.support + 0.5, last));
    taps_ = std::max(taps_, ends_[i] - begins_[i]);
  }
  weights_.assign(padded * static_cast<std::size_t>(taps_), 0);
}

void Taps::assign(const Axis& axis) {
  SWAVD_CHECK(axis.in_size > 0 && axis.out_size > 0 && axis.count > 0);
  SWAVD_CHECK(axis.cut_front >= 0 && axis.cut_back >= 0);
  SWAVD_CHECK(axis.cut_front + axis.cut_back < axis.in_size);
  count_ = axis.count;
  find_bounds(axis);
  const Geometry geometry(axis);
  const double inverse = 1.0 / geometry.support;
  const auto taps = static_cast<std::size_t>(taps_);
  exact_.resize(taps);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count_); ++i) {
    const double center = geometry.center(axis, static_cast<std::int32_t>(i));
    const std::int32_t used = ends_[i] - begins_[i];
    double sum = 0.0;
    for (std::int32_t k = 0; k < used; ++k) {
      const double weight = triangle((begins_[i] + k - center + 0.5) * inverse);
      exact_[static_cast<std::size_t>(k)] = weight;
      sum += weight;
    }
    // Taps that would stick out at the end become zeros at the front.
    const std::int32_t shift = std::max(begins_[i] - (axis.in_size - taps_), 0);
    begins_[i] -= shift;
    std::int32_t* weights =
        &weights_[i * taps + static_cast<std::size_t>(shift)];
    constexpr double kOne = 1 << kWeightBits;
    for (std::int32_t k = 0; k < used; ++k) {
      const double weight = exact_[static_cast<std::size_t>(k)];
      const double share = sum != 0.0 ? weight / sum : weight;
      weights[k] = static_cast<std::int32_t>(0.5 + share * kOne);
    }
  }
}

}  // namespace swavd::loader
