#include "ingest/log/crc32c.h"

#include <array>
#include <cstddef>
#include <cstring>

namespace swavd::ingest {

namespace {

constexpr std::uint32_t kReversedPolynomial = 0x82f63b78U;

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

/// Table k holds the CRC of each byte followed by k zero bytes, so that eight
/// bytes are folded in at once ("slicing by 8"; Kounavis and Berry, 2008).
constexpr CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kReversedPolynomial : 0U);
    }
    tables[0][byte] = crc;
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t k = 1; k < 8; ++k) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8U) ^ tables[0][before & 0xffU];
    }
  }
  return tables;
}

constexpr CrcTables kCrcTables = make_crc_tables();

std::uint32_t fold_byte(std::uint32_t crc, std::uint8_t byte) {
  return (crc >> 8U) ^ kCrcTables[0][(crc ^ byte) & 0xffU];
}

std::uint32_t fold_eight(std::uint32_t crc, const std::uint8_t* bytes) {
  const std::uint64_t word = load_u64_le(bytes) ^ crc;
  std::uint32_t folded = 0;
  for (unsigned i = 0; i < 8; ++i) {
    folded ^= kCrcTables[7 - i][(word >> (8U * i)) & 0xffU];
  }
  return folded;
}

std::uint32_t fold_by_table(std::uint32_t crc, Bytes bytes) {
  while (bytes.size() >= 8) {
    crc = fold_eight(crc, bytes.data());
    bytes = bytes.subspan(8);
  }
  for (const std::uint8_t byte : bytes) {
    crc = fold_byte(crc, byte);
  }
  return crc;
}

#if defined(__x86_64__)
/// The processor's own instruction: several times as fast as the table.
__attribute__((target("sse4.2"))) std::uint32_t fold_by_instruction(
    std::uint32_t crc,
    Bytes bytes) {
  std::uint64_t wide = crc;
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
    bytes = bytes.subspan(8);
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (const std::uint8_t byte : bytes) {
    narrow = __builtin_ia32_crc32qi(narrow, byte);
  }
  return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c(Bytes bytes, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) {
    return ~fold_by_instruction(~seed, bytes);
  }
#endif
  return crc32c_by_table(bytes, seed);
}

std::uint32_t crc32c_by_table(Bytes bytes, std::uint32_t seed) {
  return ~fold_by_table(~seed, bytes);
}

}  // namespace swavd::ingest
