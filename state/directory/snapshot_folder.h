#pragma once

#include <filesystem>
#include <memory>

#include "ops/base/result.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// A catalogue of the one snapshot whose manifest.json lies in `folder`. It is
/// read anew by every `list` and `open`.
[[nodiscard]] std::unique_ptr<SnapshotCatalog> open_snapshot_folder(
    std::filesystem::path folder);

}  // namespace swavd::state
