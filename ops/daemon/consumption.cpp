#include "ops/daemon/consumption.h"

#include <optional>

namespace swavd::daemon {

namespace {

/// Offsets are handed out in order, so a hole below one that was handed out, or
/// below `end` (nothing below it will be), holds no record: compacted away, or
/// a transaction's marker.
void pass_absent(
    ingest::StreamProgress& progress,
    const ingest::Position& position,
    std::optional<std::int64_t> end = std::nullopt) {
  std::int64_t next = position.next;
  for (const ingest::OffsetRange& range : position.done_above) {
    if (end && range.first >= *end) {
      break;
    }
    progress.absent(position.partition, next, range.first - 1);
    next = range.last + 1;
  }
  if (end && next < *end) {
    progress.absent(position.partition, next, *end - 1);
  }
}

/// Writes a gap into the position of its partition, and counts it.
Status pass_gap(
    ingest::StreamProgress& progress,
    const loader::TakenGap& gap,
    metrics::Registry& registry) {
  constexpr const char* kReason = "retention";
  // What came before the gap may have been read from behind such a hole.
  for (const ingest::Position& position : progress.positions()) {
    if (position.partition == gap.partition) {
      pass_absent(progress, position, gap.from);
    }
  }
  SWAVD_RETURN_IF_ERROR(
      progress.skip_gap(gap.partition, gap.from, gap.to, kReason));
  registry.add(
      metrics::Id::kStreamGapRecords,
      static_cast<double>(gap.to - gap.from + 1),
      {kReason});
  return ok_status();
}

}  // namespace

Status consume_batch(
    ingest::StreamProgress& progress,
    const loader::Batch& batch,
    ingest::Outcome outcome,
    metrics::Registry& registry) {
  for (const loader::Slot& slot : batch.slots) {
    SWAVD_RETURN_IF_ERROR(progress.consume(
        {slot.address, slot.timestamp_ms, slot.payload_sha256, outcome}));
  }
  for (const loader::Rejected& rejected : batch.rejected) {
    SWAVD_RETURN_IF_ERROR(progress.consume(
        {rejected.record.address,
         rejected.record.timestamp_ms,
         rejected.payload_sha256,
         ingest::Outcome::kRejected}));
  }
  for (const loader::TakenGap& gap : batch.gaps) {
    SWAVD_RETURN_IF_ERROR(pass_gap(progress, gap, registry));
  }
  for (const ingest::Position& position : progress.positions()) {
    pass_absent(progress, position);
  }
  return ok_status();
}

}  // namespace swavd::daemon
