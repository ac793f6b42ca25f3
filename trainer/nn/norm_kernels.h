#pragma once

#include <cstdint>

#include <c10/util/BFloat16.h>

namespace swavd::trainer {

// Loops over channels-last rows: a row holds all channels of one pixel. Each
// function works on the rows it is given and nothing else, so callers may cut
// a tensor up as they like. Pointers never alias. The rows are float or
// c10::BFloat16, of which each element is widened when it is read and rounded
// to the nearest when it is written; everything between, and what goes by
// channel, is float.

/// How one BatchNorm turns x into y: y = (x - mean) * scale + bias, by channel.
struct NormCoefficients {
  const float* mean;
  const float* scale;
  const float* bias;
};

/// Mean and sum of squared deviations from it, by channel.
template <typename Element>
void row_statistics(
    const Element* x,
    std::int64_t rows,
    std::int64_t channels,
    float* mean,
    float* squares);

/// y = normalised x, plus `residual` unless null; then ReLU when `relu`.
template <typename Element>
void normalise(
    const Element* x,
    const Element* residual,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    bool relu,
    Element* y);

/// Sums of g and of g * (x - mean), by channel, where g is the gradient before
/// the ReLU: dy where the normalised x is positive (everywhere unless `relu`).
template <typename Element>
void gradient_sums(
    const Element* dy,
    const Element* x,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    bool relu,
    float* sum,
    float* dot);

/// g = dy where y is positive, else 0.
template <typename Element>
void mask_gradient(
    const Element* dy,
    const Element* y,
    std::int64_t count,
    Element* g);

/// How a BatchNorm's input gradient follows from g, by channel:
/// dx = g * a + (x - mean) * b + c.
struct GradientCoefficients {
  const float* a;
  const float* b;
  const float* c;
};

/// The input gradient, from g as in `gradient_sums`.
template <typename Element>
void input_gradient(
    const Element* dy,
    const Element* x,
    std::int64_t rows,
    std::int64_t channels,
    const NormCoefficients& norm,
    const GradientCoefficients& gradient,
    bool relu,
    Element* dx);

/// Sum over the rows of x, by channel.
template <typename Element>
void row_sum(
    const Element* x,
    std::int64_t rows,
    std::int64_t channels,
    float* sum);

/// Sum over the rows of a * b, by channel.
template <typename Element>
void row_dot(
    const Element* a,
    const Element* b,
    std::int64_t rows,
    std::int64_t channels,
    float* dot);

/// y = x * scale + shift by channel; a null shift is zero.
template <typename Element>
void scale_rows(
    const Element* x,
    std::int64_t rows,
    std::int64_t channels,
    const float* scale,
    const float* shift,
    Element* y);

}  // namespace swavd::trainer
