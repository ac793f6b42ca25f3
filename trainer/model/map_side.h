#pragma once

#include <cstdint>

namespace swavd::trainer {

/// Of the max-pooling behind a ResNet's stem.
inline constexpr std::int64_t kStemPoolStride = 2;

/// Side of a square map behind a layer of this stride.
inline std::int64_t side_behind(std::int64_t side, std::int64_t stride) {
  return (side + stride - 1) / stride;
}

}  // namespace swavd::trainer
