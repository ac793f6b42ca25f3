#pragma once

#include <cstdint>

namespace swavd::trainer {

// Loops over rows of a plan: a row holds one sample's share in every
// prototype. Each function works on what it is given and nothing else, so
// callers may cut a plan up by rows as they like. Pointers never alias. A NaN
// stays one.

/// factors = share / mass, by prototype, but never infinite. When some mass is
/// zero, `rescue` is first added to each of `samples` entries of every
/// prototype. Gives what was added to each entry: 0 or `rescue`.
float prototype_factors(
    const float* mass,
    std::int64_t prototypes,
    float share,
    float rescue,
    float samples,
    float* factors);

/// Adds `rescue` to every entry, multiplies it by its prototype's factor, then
/// scales each row so that it sums to `row_mass`; a row of zeros stays one.
/// Puts the sums over these rows into `mass`, by prototype.
void balance_rows(
    float* plan,
    std::int64_t rows,
    std::int64_t prototypes,
    const float* factors,
    float rescue,
    float row_mass,
    float* mass);

}  // namespace swavd::trainer
