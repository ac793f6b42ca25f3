#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/position.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// The `positions` array of a snapshot's manifest: compact JSON, keys in the
/// order of ops/docs/formats/snapshot.md.
[[nodiscard]] std::string positions_to_json(
    const std::vector<Position>& positions);

/// Errors: kCorruption naming the field.
[[nodiscard]] Result<std::vector<Position>> positions_from_json(
    std::string_view json);

/// {"count":…,"hash":"…","content":"…"}, sums as 16 hexadecimal digits.
[[nodiscard]] std::string ledger_to_json(const Ledger& ledger);

/// Errors: kCorruption.
[[nodiscard]] Result<Ledger> ledger_from_json(std::string_view json);

}  // namespace swavd::ingest
