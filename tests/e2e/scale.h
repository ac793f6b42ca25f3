#pragma once

#include <chrono>
#include <cstdint>

namespace swavd::e2e {

// Under a sanitizer the programs are many times slower: fewer images, more
// patience.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::uint64_t kSlowness = 4;
#else
inline constexpr std::uint64_t kSlowness = 1;
#endif

/// A count for this build: `full`, or a part of it.
constexpr std::uint64_t scaled(std::uint64_t full) {
  return full / kSlowness;
}

/// How long a test waits for what takes moments.
inline constexpr std::chrono::milliseconds kPatience =
    std::chrono::seconds(30 * kSlowness);

}  // namespace swavd::e2e
