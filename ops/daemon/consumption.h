#pragma once

#include "dedup_free_loader/batch.h"
#include "ingest/position.h"
#include "metrics/registry.h"
#include "ops/base/result.h"

namespace swavd::daemon {

/// Marks all records of a batch consumed: its images with `outcome`, what it
/// rejected as rejected; passes the gaps it found, and offsets that hold no
/// record. Errors: those of `StreamProgress`, after which the lineage would not
/// be exact any more.
[[nodiscard]] Status consume_batch(
    ingest::StreamProgress& progress,
    const loader::Batch& batch,
    ingest::Outcome outcome,
    metrics::Registry& registry);

}  // namespace swavd::daemon
