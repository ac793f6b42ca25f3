#include "trainer/nn/norm_kernels.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "trainer/nn/clones.h"

namespace swavd::trainer {

namespace {

// Written out rather than by the conversions of c10::BFloat16, which are not
// vectorised.
inline float widen(float value) {
  return value;
}

inline float widen(c10::BFloat16 value) {
  constexpr unsigned kHalfWord = 16;
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.x) << kHalfWord);
}

/// Puts the number that is nearest to `value`, of two the even one; a NaN stays
/// one.
inline void put(float value, float& to) {
  to = value;
}

inline void put(float value, c10::BFloat16& to) {
  constexpr unsigned kHalfWord = 16;
  constexpr std::uint32_t kHalf = 0x7fff;
  constexpr std::uint32_t kNan = 0x7fc0;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t odd = (bits >> kHalfWord) & 1U;
  const std::uint32_t rounded = (bits + kHalf + odd) >> kHalfWord;
  to.x = static_cast<std::uint16_t>(value == value ? rounded : kNan);
}

}  // namespace

template <typename Element>
SWAVD_CLONES void row_statistics(
    const Element* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    float* __restrict mean,
    float* __restrict squares) {
  row_sum(x, rows, channels, mean);
  const float share = 1.0F / static_cast<float>(rows);
  for (std::int64_t c = 0; c < channels; ++c) {
    mean[c] *= share;
    squares[c] = 0.0F;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const Element* __restrict row = x + r * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float deviation = widen(row[c]) - mean[c];
      squares[c] += deviation * deviation;
    }
  }
}

template <typename Element>
SWAVD_CLONES void normalise(
    const Element* __restrict x,
    const Element* __restrict residual,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    bool relu,
    Element* __restrict y) {
  const float* __restrict mean = norm.mean;
  const float* __restrict scale = norm.scale;
  const float* __restrict bias = norm.bias;
  // A comparison with it keeps a NaN.
  const float floor = relu ? 0.0F : -std::numeric_limits<float>::infinity();
  for (std::int64_t r = 0; r < rows; ++r) {
    const Element* __restrict in = x + r * channels;
    Element* __restrict out = y + r * channels;
    if (residual != nullptr) {
      const Element* __restrict add = residual + r * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float sum =
            (widen(in[c]) - mean[c]) * scale[c] + bias[c] + widen(add[c]);
        put(sum < floor ? floor : sum, out[c]);
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        const float value = (widen(in[c]) - mean[c]) * scale[c] + bias[c];
        put(value < floor ? floor : value, out[c]);
      }
    }
  }
}

template <typename Element>
SWAVD_CLONES void gradient_sums(
    const Element* __restrict dy,
    const Element* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    bool relu,
    float* __restrict sum,
    float* __restrict dot) {
  const float* __restrict mean = norm.mean;
  const float* __restrict scale = norm.scale;
  const float* __restrict bias = norm.bias;
  std::fill_n(sum, channels, 0.0F);
  std::fill_n(dot, channels, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Element* __restrict out = dy + r * channels;
    const Element* __restrict in = x + r * channels;
    if (relu) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const float centred = widen(in[c]) - mean[c];
        const float g =
            centred * scale[c] + bias[c] > 0.0F ? widen(out[c]) : 0.0F;
        sum[c] += g;
        dot[c] += g * centred;
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        sum[c] += widen(out[c]);
        dot[c] += widen(out[c]) * (widen(in[c]) - mean[c]);
      }
    }
  }
}

template <typename Element>
SWAVD_CLONES void mask_gradient(
    const Element* __restrict dy,
    const Element* __restrict y,
    std::int64_t count,
    Element* __restrict g) {
  for (std::int64_t i = 0; i < count; ++i) {
    put(widen(y[i]) > 0.0F ? widen(dy[i]) : 0.0F, g[i]);
  }
}

template <typename Element>
SWAVD_CLONES void input_gradient(
    const Element* __restrict dy,
    const Element* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    const GradientCoefficients& gradient,
    bool relu,
    Element* __restrict dx) {
  const float* __restrict mean = norm.mean;
  const float* __restrict scale = norm.scale;
  const float* __restrict bias = norm.bias;
  const float* __restrict a = gradient.a;
  const float* __restrict b = gradient.b;
  const float* __restrict k = gradient.c;
  for (std::int64_t r = 0; r < rows; ++r) {
    const Element* __restrict out = dy + r * channels;
    const Element* __restrict in = x + r * channels;
    Element* __restrict result = dx + r * channels;
    if (relu) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const float centred = widen(in[c]) - mean[c];
        const float g =
            centred * scale[c] + bias[c] > 0.0F ? widen(out[c]) : 0.0F;
        put(g * a[c] + (centred * b[c] + k[c]), result[c]);
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        const float along = (widen(in[c]) - mean[c]) * b[c] + k[c];
        put(widen(out[c]) * a[c] + along, result[c]);
      }
    }
  }
}

template <typename Element>
SWAVD_CLONES void row_sum(
    const Element* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    float* __restrict sum) {
  std::fill_n(sum, channels, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Element* __restrict row = x + r * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      sum[c] += widen(row[c]);
    }
  }
}

template <typename Element>
SWAVD_CLONES void row_dot(
    const Element* __restrict a,
    const Element* __restrict b,
    std::int64_t rows,
    std::int64_t channels,
    float* __restrict dot) {
  std::fill_n(dot, channels, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    const Element* __restrict left = a + r * channels;
    const Element* __restrict right = b + r * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      dot[c] += widen(left[c]) * widen(right[c]);
    }
  }
}

template <typename Element>
SWAVD_CLONES void scale_rows(
    const Element* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    const float* __restrict scale,
    const float* __restrict shift,
    Element* __restrict y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const Element* __restrict in = x + r * channels;
    Element* __restrict out = y + r * channels;
    if (shift != nullptr) {
      for (std::int64_t c = 0; c < channels; ++c) {
        put(widen(in[c]) * scale[c] + shift[c], out[c]);
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        put(widen(in[c]) * scale[c], out[c]);
      }
    }
  }
}

// The kinds of rows there are.
#define SWAVD_INSTANTIATE(Element)                                           \
  template void row_statistics(                                              \
      const Element*, std::int64_t, std::int64_t, float*, float*);           \
  template void normalise(                                                   \
      const Element*,                                                        \
      const Element*,                                                        \
      std::int64_t,                                                          \
      std::int64_t,                                                          \
      const NormCoefficients&,                                               \
      bool,                                                                  \
      Element*);                                                             \
  template void gradient_sums(                                               \
      const Element*,                                                        \
      const Element*,                                                        \
      std::int64_t,                                                          \
      std::int64_t,                                                          \
      const NormCoefficients&,                                               \
      bool,                                                                  \
      float*,                                                                \
      float*);                                                               \
  template void mask_gradient(                                               \
      const Element*, const Element*, std::int64_t, Element*);               \
  template void input_gradient(                                              \
      const Element*,                                                        \
      const Element*,                                                        \
      std::int64_t,                                                          \
      std::int64_t,                                                          \
      const NormCoefficients&,                                               \
      const GradientCoefficients&,                                           \
      bool,                                                                  \
      Element*);                                                             \
  template void row_sum(const Element*, std::int64_t, std::int64_t, float*); \
  template void row_dot(                                                     \
      const Element*, const Element*, std::int64_t, std::int64_t, float*);   \
  template void scale_rows(                                                  \
      const Element*,                                                        \
      std::int64_t,                                                          \
      std::int64_t,                                                          \
      const float*,                                                          \
      const float*,                                                          \
      Element*);
SWAVD_INSTANTIATE(float)
SWAVD_INSTANTIATE(c10::BFloat16)
#undef SWAVD_INSTANTIATE

}  // namespace swavd::trainer
