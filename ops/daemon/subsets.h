#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace swavd::daemon {

// Which images an evaluation looks at, and in which order. All functions are
// pure; places are indices into a list of files.

/// 0, 1, …, count - 1.
[[nodiscard]] std::vector<std::size_t> all_places(std::size_t count);

/// At most `most` (0: all) of `places`, evenly spread and in their order: of a
/// list sorted by class, about as many of each.
[[nodiscard]] std::vector<std::size_t> spread(
    const std::vector<std::size_t>& places,
    std::uint64_t most);

/// `places` in the order of one epoch: a uniform permutation that depends on
/// the seed and the epoch alone.
[[nodiscard]] std::vector<std::size_t> shuffled(
    std::vector<std::size_t> places,
    std::uint64_t seed,
    std::uint64_t epoch);

/// A subset for low-shot learning, ascending: of each class equally many, the
/// nearest whole number to `fraction` of all images divided by the classes, at
/// least one; a class that has fewer gives all of them. Which ones depends on
/// the seed and on the place of each image among those of its class.
/// `classes`: [images], the class of each, from 0 to `class_count` - 1.
[[nodiscard]] std::vector<std::size_t> balanced_subset(
    const std::vector<std::int32_t>& classes,
    std::int32_t class_count,
    double fraction,
    std::uint64_t seed);

}  // namespace swavd::daemon
