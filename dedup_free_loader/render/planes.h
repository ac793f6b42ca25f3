#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace swavd::loader {

/// A crop while it is worked on: one uint8 plane [size, size] for each of R,
/// G and B. Borrowed memory.
struct Planes {
  std::array<std::uint8_t*, 3> plane{};
  std::size_t size = 0;  ///< pixels along a side

  [[nodiscard]] std::size_t pixels() const { return size * size; }
};

}  // namespace swavd::loader
