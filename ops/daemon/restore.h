#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ingest/position.h"
#include "metrics/registry.h"
#include "ops/base/result.h"
#include "ops/daemon/schedule_json.h"
#include "scheduler/health.h"
#include "scheduler/learning_rate.h"
#include "state/object_store.h"
#include "state/snapshot_store.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

/// Everything a run continues from.
struct RunState {
  ingest::StreamProgress progress;
  scheduler::ScheduleState schedule;
  scheduler::Verdict verdict = scheduler::Verdict::kStarting;
  std::optional<StreamSection> stream;  ///< none: the run is new
  std::string snapshot_id;              ///< empty: the run is new
  std::uint64_t step = 0;
  std::int64_t created_ms = 0;
  std::uint64_t commit = 0;  ///< the highest number in either tier
  std::uint64_t generation = 0;
};

/// Restores `trainer` from the newest snapshot of either tier that verifies,
/// by (generation, commit). Counts and logs what it passes over and why. No
/// snapshot anywhere: a new run at step 0. `remote` may be nullptr.
/// Errors: kUnavailable (the object store does not answer and nothing local
/// is there: never step 0 by accident), kConfig naming the lineage keys that
/// changed, kCorruption (snapshots exist and none verifies), kInvalidArgument.
[[nodiscard]] Result<RunState> restore_run(
    state::SnapshotStore& local,
    state::RemoteRun* remote,
    const std::string& lineage_toml,
    trainer::Trainer& trainer,
    metrics::Registry& registry);

/// Takes the next generation of the run: one above what either tier and the
/// snapshot know, written (synced) to both before the first step. `objects`
/// may be nullptr. Errors: kFenced (another daemon took it first), kIo,
/// kUnavailable.
[[nodiscard]] Result<std::uint64_t> claim_generation(
    state::SnapshotStore& local,
    state::ObjectStore* objects,
    const std::string& run,
    std::uint64_t snapshot_generation);

}  // namespace swavd::daemon
