#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ingest/position.h"
#include "ingest/source.h"
#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Whether one of the ascending `ranges` holds `offset`.
[[nodiscard]] bool holds(
    const std::vector<OffsetRange>& ranges,
    std::int64_t offset);

/// Where reading a partition begins.
struct Resume {
  std::int64_t from = 0;           ///< the first offset to ask for
  std::optional<OffsetRange> gap;  ///< jumped: from `next` on, no longer there
};

/// What to do when offsets that a run still needs are gone.
enum class OnGap { kStop, kJump };

/// How a stored position continues in a partition that now holds `bounds`.
/// The one place that decides it for every kind of stream. Errors, kNotFound:
/// offsets the run still needs were removed (with `OnGap::kStop`), or the
/// position lies beyond the end; both name the partition, the offsets, how
/// many they are and what to do.
[[nodiscard]] Result<Resume> plan_resume(
    const Position& position,
    const PartitionBounds& bounds,
    OnGap on_gap);

/// Whether the record that `position.last` describes must still be there, so
/// that it can be read and compared.
[[nodiscard]] bool has_readable_fingerprint(
    const Position& position,
    const PartitionBounds& bounds);

/// Compares the record found at `position.last->offset` with the fingerprint.
/// The timestamps are compared when both are known. Errors: kCorruption, the
/// topic was made anew.
[[nodiscard]] Status check_fingerprint(
    const Position& position,
    Bytes payload,
    std::int64_t timestamp_ms);

}  // namespace swavd::ingest
