#include "ops/daemon/consumption.h"

namespace swavd::daemon {

namespace {

/// Writes a gap into the position of its partition, and counts it.
Status pass_gap(
    ingest::StreamProgress& progress,
    const loader::PartitionRange& gap,
    metrics::Registry& registry) {
  constexpr const char* kReason = "retention";
  // All records below it have been consumed: what is left there holds none.
  progress.absent(gap.partition, 0, gap.from - 1);
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
  for (const loader::PartitionRange& gap : batch.gaps) {
    SWAVD_RETURN_IF_ERROR(pass_gap(progress, gap, registry));
  }
  for (const loader::PartitionRange& range : batch.absent) {
    progress.absent(range.partition, range.from, range.to);
  }
  return ok_status();
}

}  // namespace swavd::daemon
