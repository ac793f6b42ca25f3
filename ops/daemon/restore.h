#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/position.h"
#include "metrics/registry.h"
#include "ops/base/result.h"
#include "ops/daemon/health_watch.h"
#include "ops/daemon/schedule_json.h"
#include "scheduler/learning_rate.h"
#include "state/object_store.h"
#include "state/run_record.h"
#include "state/snapshot_store.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

/// Everything a run continues from.
struct RunState {
  ingest::StreamProgress progress;
  scheduler::ScheduleState schedule;
  RunHealth health;
  std::optional<StreamSection> stream;  ///< none: the run is new
  std::string snapshot_id;              ///< empty: the run is new
  std::string origin_json;  ///< weights the run began with; empty: at random
  std::uint64_t step = 0;
  std::int64_t created_ms = 0;
  std::uint64_t commit = 0;  ///< the highest number in either tier
};

/// The highest generation of any snapshot in either tier, 0 when there is
/// none. `remote` may be nullptr. Errors: kUnavailable (the object store does
/// not answer: what is local may not be the newest).
[[nodiscard]] Result<std::uint64_t> highest_generation(
    state::SnapshotStore& local,
    state::RemoteRun* remote);

/// Restores `trainer` from one snapshot and gives what goes on from there.
/// Errors: kCorruption, a section that cannot be read; those of
/// `trainer::Trainer::restore`.
[[nodiscard]] Result<RunState> restore_snapshot(
    state::SnapshotReader& reader,
    trainer::Trainer& trainer);

/// Restores `trainer` from the newest snapshot of either tier that verifies
/// and is on the line of `record`, by (generation, commit). Counts and logs
/// what it passes over and why. No snapshot anywhere: a new run at step 0.
/// `remote` may be nullptr.
/// Errors: as `highest_generation`; kConfig naming the lineage keys that
/// changed, or a run whose snapshots are all gone; kCorruption (snapshots exist
/// and none verifies), kUnavailable (the newest one's store does not answer),
/// kInvalidArgument.
[[nodiscard]] Result<RunState> restore_run(
    state::SnapshotStore& local,
    state::RemoteRun* remote,
    const state::RunRecord& record,
    const std::string& lineage_toml,
    trainer::Trainer& trainer,
    metrics::Registry& registry);

/// Ids of local snapshots on the run's line that are newer than the newest
/// remote one and that a keeper which uploads every `every`-th commit would
/// upload, oldest first, at most the newest `most`. Errors: those of the
/// tiers.
[[nodiscard]] Result<std::vector<std::string>> pending_uploads(
    state::SnapshotCatalog& local,
    state::SnapshotCatalog& remote,
    std::int64_t every,
    std::int64_t most);

}  // namespace swavd::daemon
