#include "dedup_free_loader/render/normalize.h"

#include <array>
#include <cstddef>
#include <cstdint>

#include "dedup_free_loader/render/clones.h"

namespace swavd::loader {

namespace {

struct Statistics {
  std::array<float, 3> mean, std;
};

// transformers multiplies by 1 / 255 in double; for all 256 levels this
// division in float32 gives the same.
SWAVD_INLINE float normalized(std::uint8_t level, float mean, float std) {
  return (static_cast<float>(level) / 255.0F - mean) / std;
}

SWAVD_CLONES void write_pixels(
    const std::uint8_t* __restrict red,
    const std::uint8_t* __restrict green,
    const std::uint8_t* __restrict blue,
    std::size_t count,
    const Statistics& statistics,
    float* __restrict out) {
  const auto [mean, std] = statistics;
  for (std::size_t i = 0; i < count; ++i) {
    out[3 * i] = normalized(red[i], mean[0], std[0]);
    out[3 * i + 1] = normalized(green[i], mean[1], std[1]);
    out[3 * i + 2] = normalized(blue[i], mean[2], std[2]);
  }
}

}  // namespace

void normalize(
    const Planes& planes,
    int channels,
    const AugmentOptions& augment,
    float* out) {
  Statistics statistics{};
  for (std::size_t c = 0; c < statistics.mean.size(); ++c) {
    statistics.mean[c] = static_cast<float>(augment.mean[c]);
    statistics.std[c] = static_cast<float>(augment.std[c]);
  }
  const std::uint8_t* red = planes.plane[0];
  const std::uint8_t* green = channels == 1 ? red : planes.plane[1];
  const std::uint8_t* blue = channels == 1 ? red : planes.plane[2];
  write_pixels(red, green, blue, planes.pixels(), statistics, out);
}

}  // namespace swavd::loader
