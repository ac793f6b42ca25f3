#include "trainer/swav/sinkhorn_kernels.h"

#include <algorithm>
#include <limits>

#include "trainer/nn/clones.h"

namespace swavd::trainer {

SWAVD_CLONES float prototype_factors(
    const float* __restrict mass,
    std::int64_t prototypes,
    float share,
    float rescue,
    float samples,
    float* __restrict factors) {
  constexpr float kMost = std::numeric_limits<float>::max();
  std::int32_t empty = 0;
  for (std::int64_t k = 0; k < prototypes; ++k) {
    empty |= mass[k] == 0.0F ? 1 : 0;
  }
  const float added = empty != 0 ? rescue : 0.0F;
  for (std::int64_t k = 0; k < prototypes; ++k) {
    const float factor = share / (mass[k] + added * samples);
    factors[k] = factor > kMost ? kMost : factor;  // keeps a NaN
  }
  return added;
}

SWAVD_CLONES void balance_rows(
    float* __restrict plan,
    std::int64_t rows,
    std::int64_t prototypes,
    const float* __restrict factors,
    float rescue,
    float row_mass,
    float* __restrict mass) {
  // A row far below the greatest score may have underflowed to zero.
  constexpr float kLeastMass = std::numeric_limits<float>::min();
  std::fill_n(mass, prototypes, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    float* __restrict row = plan + r * prototypes;
    float sum = 0.0F;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t k = 0; k < prototypes; ++k) {
      const float entry = (row[k] + rescue) * factors[k];
      row[k] = entry;
      sum += entry;
    }
    const float scale = row_mass / std::max(sum, kLeastMass);
    for (std::int64_t k = 0; k < prototypes; ++k) {
      row[k] *= scale;
      mass[k] += row[k];
    }
  }
}

}  // namespace swavd::trainer
