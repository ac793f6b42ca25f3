#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace swavd {

/// Borrowed bytes.
using Bytes = std::span<const std::uint8_t>;
/// Owned bytes.
using ByteVector = std::vector<std::uint8_t>;

/// The bytes of a text, borrowed.
inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The text of some bytes, borrowed.
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Little-endian 64-bit integer at the front of `bytes` (at least 8 long).
inline std::uint64_t load_u64_le(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) {
    value = value << 8U | bytes[i];
  }
  return value;
}

/// Big-endian text of `value`, 8 bytes: sorts like the number.
inline std::string u64_be(std::uint64_t value) {
  std::string text(8, '\0');
  for (int i = 7; i >= 0; --i) {
    text[static_cast<std::size_t>(i)] = static_cast<char>(value & 0xffU);
    value >>= 8U;
  }
  return text;
}

/// The number behind `u64_be`; `text` must hold at least 8 bytes.
inline std::uint64_t load_u64_be(std::string_view text) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value = value << 8U | static_cast<std::uint8_t>(text[i]);
  }
  return value;
}

/// Lower-case hexadecimal, two digits a byte.
[[nodiscard]] std::string to_hex(Bytes bytes);

}  // namespace swavd
