#pragma once

#include <cstdint>
#include <random>

namespace swavd::sim {

/// Thrown where a process dies: by a seam, through the product's code, to
/// whoever started its life. Nothing catches it in between.
struct Died {};

/// Every choice of one simulated world, from its seed.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : numbers_(seed) {}

  /// Below `bound`, which is at least 1.
  std::uint64_t below(std::uint64_t bound) { return numbers_() % bound; }

  bool one_in(std::uint64_t count) { return below(count) == 0; }

 private:
  std::mt19937_64 numbers_;
};

}  // namespace swavd::sim
