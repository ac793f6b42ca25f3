#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace swavd {

/// One block of the Philox 4x32-10 counter-based generator: four 32-bit words
/// that depend on `counter` and `key` alone (Salmon et al., "Parallel random
/// numbers: as easy as 1, 2, 3", SC'11; tested against Random123's vectors).
[[nodiscard]] std::array<std::uint32_t, 4> philox(
    std::array<std::uint32_t, 4> counter,
    std::array<std::uint32_t, 2> key);

/// Names one stream of random numbers: the first 8 bytes (little-endian) of
/// SHA-256 over "<seed>/<name>". The same seed and name give the same stream
/// on every machine and at any time.
[[nodiscard]] std::uint64_t stream_key(
    std::uint64_t seed,
    std::string_view name);

/// A sequence of random numbers addressed by (key, address): two objects with
/// equal arguments give equal numbers, whatever ran before. Not thread-safe,
/// cheap to make.
class Random {
 public:
  /// `key`: see `stream_key`. `address`: 64 bits more, for example an offset.
  /// `position`: how many 32-bit words of the stream to skip.
  explicit Random(
      std::uint64_t key,
      std::uint64_t address = 0,
      std::uint64_t position = 0);

  /// Uniform over all 32-bit words.
  [[nodiscard]] std::uint32_t next_u32();

  /// Uniform in [0, 1), 53 bits.
  [[nodiscard]] double uniform();

  /// Uniform in [low, high).
  [[nodiscard]] double uniform(double low, double high);

  /// Uniform in [0, bound), without bias; `bound` at least 1.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound);

  /// Standard normal (Box-Muller, one value per call).
  [[nodiscard]] double normal();

  /// Words drawn so far, `position` included: with the key and the address
  /// the whole state of the generator.
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  std::uint64_t key_;
  std::uint64_t address_;
  std::uint64_t position_;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace swavd
