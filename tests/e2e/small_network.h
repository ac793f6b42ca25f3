#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace swavd::e2e {

/// Exit status of a build without LibTorch where it needs it.
inline constexpr int kUnavailable = 69;

/// "--set KEY=VALUE" flags of a network that trains in milliseconds on images
/// of 32 pixels, with two threads.
[[nodiscard]] std::vector<std::string> small_network();

/// Writes FOLDER/red/*.png, green and blue (the first `colours` of them), so
/// many of each, with noise that `first_seed` decides.
void write_coloured(
    const std::string& folder,
    std::uint64_t each,
    std::uint64_t first_seed,
    std::size_t colours = 3);

}  // namespace swavd::e2e
