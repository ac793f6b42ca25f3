#include <algorithm>
#include <cmath>

#include "trainer/probe.h"

namespace swavd::trainer {

ProbeGrid
probe_grid(std::int64_t channels, std::int64_t height, std::int64_t width) {
  constexpr double kFeatures = 10'000;
  constexpr std::int64_t kLeastCells = 2;
  const auto cells = std::max(
      kLeastCells,
      static_cast<std::int64_t>(
          std::nearbyint(kFeatures / static_cast<double>(channels))));
  const std::int64_t rows = std::min(height, cells);
  return {rows, std::clamp<std::int64_t>(cells / rows, 1, width)};
}

}  // namespace swavd::trainer
