#pragma once

#include <cstdint>

#include "ops/base/bytes.h"

namespace swavd::ingest {

/// CRC-32C (Castagnoli; polynomial and test vectors in RFC 3720, B.4) of
/// `bytes`. `seed` is the CRC of what came before them, 0 at the start.
[[nodiscard]] std::uint32_t crc32c(Bytes bytes, std::uint32_t seed = 0);

/// The same without the processor's instruction for it.
[[nodiscard]] std::uint32_t crc32c_by_table(
    Bytes bytes,
    std::uint32_t seed = 0);

}  // namespace swavd::ingest
