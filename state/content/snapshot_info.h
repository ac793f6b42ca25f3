#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"
#include "state/manifest.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// What a listing shows of the snapshot whose manifest.json is `text`.
[[nodiscard]] SnapshotInfo info_of(
    const Manifest& manifest,
    std::string_view text);

/// Stands in a listing for a snapshot whose manifest cannot be read; opening
/// it says why. `generation`: of the snapshot before, the best guess there is.
[[nodiscard]] SnapshotInfo unreadable_info(
    std::uint64_t generation,
    std::uint64_t commit);

/// Ascending by (generation, commit).
void sort_lineage(std::vector<SnapshotInfo>& list);

/// Sets `off_line` of each as the run's record says; an empty text is no
/// record. Errors: kCorruption.
[[nodiscard]] Status mark_off_line(
    std::vector<SnapshotInfo>& list,
    std::string_view run_record);

/// nullptr when the manifest names no such file.
[[nodiscard]] const FileEntry* find_file(
    const Manifest& manifest,
    std::string_view name);

/// kNotFound for a file the manifest does not name.
[[nodiscard]] Error no_such_file(
    const std::string& id,
    const std::string& name);

}  // namespace swavd::state
