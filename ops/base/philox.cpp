#include "ops/base/philox.h"

#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "ops/base/bytes.h"
#include "ops/base/sha256.h"

namespace swavd {

namespace {

// Multipliers and Weyl increments of Philox 4x32 (Random123).
constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
constexpr int kRounds = 10;

std::uint32_t low_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}

std::uint32_t high_word(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32U);
}

}  // namespace

std::array<std::uint32_t, 4> philox(
    std::array<std::uint32_t, 4> counter,
    std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t first = kMultiplier0 * counter[0];
    const std::uint64_t second = kMultiplier1 * counter[2];
    counter = {
        high_word(second) ^ counter[1] ^ key[0],
        low_word(second),
        high_word(first) ^ counter[3] ^ key[1],
        low_word(first)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

std::uint64_t stream_key(std::uint64_t seed, std::string_view name) {
  const Digest digest = sha256(as_bytes(fmt::format("{}/{}", seed, name)));
  return load_u64_le(digest.data());
}

Random::Random(std::uint64_t key, std::uint64_t address, std::uint64_t position)
    : key_(key),
      address_(address),
      position_(position) {
  if (position_ % block_.size() != 0) {
    const std::uint64_t block = position_ / block_.size();
    block_ = philox(
        {low_word(block),
         high_word(block),
         low_word(address_),
         high_word(address_)},
        {low_word(key_), high_word(key_)});
  }
}

std::uint32_t Random::next_u32() {
  const std::uint64_t word = position_ % block_.size();
  if (word == 0) {
    const std::uint64_t block = position_ / block_.size();
    block_ = philox(
        {low_word(block),
         high_word(block),
         low_word(address_),
         high_word(address_)},
        {low_word(key_), high_word(key_)});
  }
  ++position_;
  return block_[word];
}

double Random::uniform() {
  const std::uint64_t high = next_u32() >> 5U;  // 27 bits
  const std::uint64_t low = next_u32() >> 6U;   // 26 bits
  constexpr double kTwoTo26 = 67108864.0;
  constexpr double kTwoTo53 = 9007199254740992.0;
  return (static_cast<double>(high) * kTwoTo26 + static_cast<double>(low)) /
         kTwoTo53;
}

double Random::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

std::uint32_t Random::below(std::uint32_t bound) {
  // Lemire's method: reject the few words that would favour small results.
  const std::uint32_t reject_below = (0U - bound) % bound;
  std::uint64_t product = 0;
  do {
    product = static_cast<std::uint64_t>(next_u32()) * bound;
  } while (low_word(product) < reject_below);
  return high_word(product);
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace swavd
