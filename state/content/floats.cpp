#include "state/content/floats.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace swavd::state {

namespace {

float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
}

float from_f16(std::uint16_t bits) {
  constexpr int kMantissaBits = 10;
  constexpr int kBias = 15;
  constexpr int kLargestExponent = 31;
  const int exponent = bits >> 10U & 0x1fU;
  const auto mantissa = static_cast<float>(bits & 0x3ffU);
  float value = 0;
  if (exponent == kLargestExponent) {
    value = mantissa == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    value = std::ldexp(mantissa, 1 - kBias - kMantissaBits);
  } else {
    value = std::ldexp(mantissa + 1024.0F, exponent - kBias - kMantissaBits);
  }
  return (bits & 0x8000U) != 0 ? -value : value;
}

template <typename T>
T load(const std::uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

}  // namespace

bool is_float(DType dtype) {
  return dtype != DType::kI64 && dtype != DType::kU64;
}

double element(DType dtype, const std::uint8_t* bytes, std::size_t index) {
  switch (dtype) {
    case DType::kF64:
      return load<double>(bytes + index * sizeof(double));
    case DType::kF32:
      return load<float>(bytes + index * sizeof(float));
    case DType::kF16:
      return from_f16(load<std::uint16_t>(bytes + index * 2));
    case DType::kBF16:
      return from_bf16(load<std::uint16_t>(bytes + index * 2));
    case DType::kI64:
    case DType::kU64:
      break;
  }
  return 0;
}

}  // namespace swavd::state
