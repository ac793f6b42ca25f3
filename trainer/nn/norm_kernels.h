#pragma once

#include <cstdint>

namespace swavd::trainer {

// Loops over channels-last rows: a row holds all channels of one pixel. Each
// function works on the rows it is given and nothing else, so callers may cut
// a tensor up as they like. Pointers never alias.

/// How one BatchNorm turns x into y: y = (x - mean) * scale + bias, by channel.
struct NormCoefficients {
  const float* mean;
  const float* scale;
  const float* bias;
};

/// Mean and sum of squared deviations from it, by channel.
void row_statistics(
    const float* x,
    std::int64_t rows,
    std::int64_t channels,
    float* mean,
    float* squares);

/// y = normalised x, plus `residual` unless null; then ReLU when `relu`.
void normalise(
    const float* x,
    const float* residual,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    bool relu,
    float* y);

/// Sums of g and of g * (x - mean), by channel, where g is the gradient before
/// the ReLU: dy where the normalised x is positive (everywhere unless `relu`).
void gradient_sums(
    const float* dy,
    const float* x,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    bool relu,
    float* sum,
    float* dot);

/// g = dy where y is positive, else 0.
void mask_gradient(
    const float* dy,
    const float* y,
    std::int64_t count,
    float* g);

/// How a BatchNorm's input gradient follows from g, by channel:
/// dx = g * a + (x - mean) * b + c.
struct GradientCoefficients {
  const float* a;
  const float* b;
  const float* c;
};

/// The input gradient, from g as in `gradient_sums`.
void input_gradient(
    const float* dy,
    const float* x,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    const GradientCoefficients& gradient,
    bool relu,
    float* dx);

/// Sum over the rows of x, by channel.
void row_sum(
    const float* x,
    std::int64_t rows,
    std::int64_t channels,
    float* sum);

/// Sum over the rows of a * b, by channel.
void row_dot(
    const float* a,
    const float* b,
    std::int64_t rows,
    std::int64_t channels,
    float* dot);

/// y = x * scale + shift by channel; a null shift is zero.
void scale_rows(
    const float* x,
    std::int64_t rows,
    std::int64_t channels,
    const float* scale,
    const float* shift,
    float* y);

}  // namespace swavd::trainer
