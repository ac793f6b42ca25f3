#include "trainer/nn/norm_kernels.h"

#include <algorithm>

#include "trainer/nn/clones.h"

namespace swavd::trainer {

SWAVD_CLONES void row_statistics(
    const float* __restrict x,
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
    const float* __restrict row = x + r * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      const float deviation = row[c] - mean[c];
      squares[c] += deviation * deviation;
    }
  }
}

SWAVD_CLONES void normalise(
    const float* __restrict x,
    const float* __restrict residual,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    bool relu,
    float* __restrict y) {
  const float* __restrict mean = norm.mean;
  const float* __restrict scale = norm.scale;
  const float* __restrict bias = norm.bias;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* __restrict in = x + r * channels;
    float* __restrict out = y + r * channels;
    if (residual != nullptr) {
      const float* __restrict add = residual + r * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        out[c] = (in[c] - mean[c]) * scale[c] + bias[c] + add[c];
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        out[c] = (in[c] - mean[c]) * scale[c] + bias[c];
      }
    }
    if (relu) {
      for (std::int64_t c = 0; c < channels; ++c) {
        out[c] = out[c] < 0.0F ? 0.0F : out[c];  // keeps a NaN
      }
    }
  }
}

SWAVD_CLONES void gradient_sums(
    const float* __restrict dy,
    const float* __restrict x,
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
    const float* __restrict out = dy + r * channels;
    const float* __restrict in = x + r * channels;
    if (relu) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const float centred = in[c] - mean[c];
        const float g = centred * scale[c] + bias[c] > 0.0F ? out[c] : 0.0F;
        sum[c] += g;
        dot[c] += g * centred;
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        sum[c] += out[c];
        dot[c] += out[c] * (in[c] - mean[c]);
      }
    }
  }
}

SWAVD_CLONES void mask_gradient(
    const float* __restrict dy,
    const float* __restrict y,
    std::int64_t count,
    float* __restrict g) {
  for (std::int64_t i = 0; i < count; ++i) {
    g[i] = y[i] > 0.0F ? dy[i] : 0.0F;
  }
}

SWAVD_CLONES void input_gradient(
    const float* __restrict dy,
    const float* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    const GradientCoefficients& gradient,
    bool relu,
    float* __restrict dx) {
  const float* __restrict mean = norm.mean;
  const float* __restrict scale = norm.scale;
  const float* __restrict bias = norm.bias;
  const float* __restrict a = gradient.a;
  const float* __restrict b = gradient.b;
  const float* __restrict k = gradient.c;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* __restrict out = dy + r * channels;
    const float* __restrict in = x + r * channels;
    float* __restrict result = dx + r * channels;
    if (relu) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const float centred = in[c] - mean[c];
        const float g = centred * scale[c] + bias[c] > 0.0F ? out[c] : 0.0F;
        result[c] = g * a[c] + (centred * b[c] + k[c]);
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        result[c] = out[c] * a[c] + ((in[c] - mean[c]) * b[c] + k[c]);
      }
    }
  }
}

SWAVD_CLONES void row_sum(
    const float* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    float* __restrict sum) {
  std::fill_n(sum, channels, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* __restrict row = x + r * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      sum[c] += row[c];
    }
  }
}

SWAVD_CLONES void row_dot(
    const float* __restrict a,
    const float* __restrict b,
    std::int64_t rows,
    std::int64_t channels,
    float* __restrict dot) {
  std::fill_n(dot, channels, 0.0F);
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* __restrict left = a + r * channels;
    const float* __restrict right = b + r * channels;
    for (std::int64_t c = 0; c < channels; ++c) {
      dot[c] += left[c] * right[c];
    }
  }
}

SWAVD_CLONES void scale_rows(
    const float* __restrict x,
    std::int64_t rows,
    std::int64_t channels,
    const float* __restrict scale,
    const float* __restrict shift,
    float* __restrict y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* __restrict in = x + r * channels;
    float* __restrict out = y + r * channels;
    if (shift != nullptr) {
      for (std::int64_t c = 0; c < channels; ++c) {
        out[c] = in[c] * scale[c] + shift[c];
      }
    } else {
      for (std::int64_t c = 0; c < channels; ++c) {
        out[c] = in[c] * scale[c];
      }
    }
  }
}

}  // namespace swavd::trainer
