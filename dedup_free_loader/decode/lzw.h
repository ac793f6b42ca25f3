#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "ops/base/bytes.h"

namespace swavd::loader {

/// Unpacks the codes of a GIF frame. Its work is bounded by the bytes it reads
/// and the indices it gives, whatever the codes are. Not thread-safe.
class LzwReader {
 public:
  enum class Outcome {
    kDone,
    kEnd,      ///< the codes end before that
    kBadCode,  ///< a code that has no meaning here
  };

  /// The next bytes of codes; none: there are no more.
  using NextBlock = std::function<Bytes()>;

  static constexpr int kMaxCodeSize = 8;

  /// `code_size`: bits of an index, from 1 to `kMaxCodeSize`.
  LzwReader(int code_size, NextBlock next_block);

  struct Given {
    Outcome outcome = Outcome::kDone;
    std::size_t indices = 0;  ///< all that were asked for only when kDone
  };

  /// Fills `indices` with those that come next.
  [[nodiscard]] Given read(std::span<std::uint8_t> indices);

 private:
  static constexpr unsigned kMaxBits = 12;
  static constexpr unsigned kMaxCodes = 1U << kMaxBits;

  /// Pushes the indices that the next code stands for.
  [[nodiscard]] Outcome unpack_code();
  [[nodiscard]] bool read_code(unsigned& code);
  void clear();
  void push_string(unsigned code);

  NextBlock next_block_;
  Bytes block_;
  std::uint32_t bits_ = 0;  ///< those read and not used, the lowest first
  unsigned bit_count_ = 0;
  const unsigned clear_code_;
  const unsigned first_width_;
  unsigned width_ = 0;  ///< of the next code, in bits
  unsigned next_ = 0;   ///< the code that is defined next
  unsigned last_ = kMaxCodes;
  // What a code stands for: the string of `prefix_`, then `suffix_`.
  std::array<std::uint16_t, kMaxCodes> prefix_{};
  std::array<std::uint8_t, kMaxCodes> suffix_{};
  /// Indices not given yet, the last one first.
  std::array<std::uint8_t, kMaxCodes + 1> stack_{};
  std::size_t depth_ = 0;
};

}  // namespace swavd::loader
