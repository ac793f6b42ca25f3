#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/sha256.h"

namespace swavd::ledger_contract {

// The documented contract of the ledger, written a second time for the oracles:
// nothing of the product's own arithmetic is used.

/// The first eight bytes of a digest, the lowest first.
inline std::uint64_t first_eight(const Digest& digest) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<std::uint64_t>(digest[i]) << (8U * i);
  }
  return value;
}

inline std::string hex16(std::uint64_t value) {
  return fmt::format("{:016x}", value);
}

/// Does the offset lie in one of a position's gaps?
inline bool in_a_gap(const nlohmann::json& gaps, std::int64_t offset) {
  for (const nlohmann::json& gap : gaps) {
    if (offset >= gap.at("from").get<std::int64_t>() &&
        offset <= gap.at("to").get<std::int64_t>()) {
      return true;
    }
  }
  return false;
}

}  // namespace swavd::ledger_contract
