#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "state/rocks/database.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// The snapshots in `database`, ascending by (generation, commit). Reads
/// manifests only.
[[nodiscard]] Result<std::vector<SnapshotInfo>> list_snapshots(
    Database& database);

/// A note of the store, empty when there is none. Errors: kIo, kCorruption.
[[nodiscard]] Result<std::string> read_note(
    Database& database,
    const std::string& name);

/// The listing's entry for `id`. Errors: kNotFound.
[[nodiscard]] Result<SnapshotInfo> find_snapshot(
    Database& database,
    const std::string& id);

/// Opens one for reading. The reader keeps its bytes readable even when the
/// snapshot is dropped meanwhile, and may live on another thread than the
/// store's.
[[nodiscard]] Result<std::unique_ptr<SnapshotReader>> read_snapshot(
    std::shared_ptr<Database> database,
    const std::string& id);

}  // namespace swavd::state
