#pragma once

#include <span>
#include <string_view>

namespace swavd::service {

/// The candidate that `word` was probably meant to be: the one with the
/// fewest edits (Levenshtein), at most a third of the word's length or two.
/// Empty when none is near.
[[nodiscard]] std::string_view nearest(
    std::string_view word,
    std::span<const std::string_view> candidates);

}  // namespace swavd::service
