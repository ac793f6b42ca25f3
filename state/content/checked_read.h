#pragma once

#include "ops/base/result.h"
#include "state/content/snapshot_content.h"
#include "state/manifest.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// Reads one file into `sink`; after the last byte its length and digest must
/// be those of `file`. Errors: kCorruption; those of `read` and `sink`.
[[nodiscard]] Status read_checked(
    SnapshotReader& reader,
    const FileEntry& file,
    const ByteSink& sink);

/// Checks the id, `state_sha256` and `config_sha256` of a snapshot against
/// its manifest's text. Errors: kCorruption.
[[nodiscard]] Status check_manifest(SnapshotReader& reader);

}  // namespace swavd::state
