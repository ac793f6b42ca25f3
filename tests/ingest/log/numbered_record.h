#pragma once

#include <string>

#include "ingest/record.h"

namespace swavd::ingest::testing {

/// Record number `i`: its key and every byte of it follow from `i`. 1 to 41
/// kB, so that a few hundred fill a table.
inline OutRecord numbered_record(int i) {
  OutRecord record;
  record.key = std::to_string(i);
  const std::size_t size = 1000 + static_cast<std::size_t>(i) * 7919 % 40000;
  record.payload.resize(size);
  for (std::size_t k = 0; k < size; ++k) {
    record.payload[k] = static_cast<std::uint8_t>(
        (static_cast<std::size_t>(i) * 31 + k) & 0xffU);
  }
  record.timestamp_ms = 1700000000000 + i;
  return record;
}

}  // namespace swavd::ingest::testing
