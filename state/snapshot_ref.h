#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"
#include "state/object_store.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// A REF argument: a data folder, an object-store run ("file:///DIR/RUN" or
/// "file:///DIR" when it holds one run), a folder with one snapshot, or one
/// that `follow` keeps;
/// "@ID" (or a unique prefix of one, or a step) picks a snapshot.
struct SnapshotRef {
  std::string place;
  std::string id;  ///< empty: the newest healthy one, else the newest
};

[[nodiscard]] SnapshotRef parse_ref(std::string_view text);

/// Opens the catalogue that lies at `place`, a path or a URL, recognised by
/// what is there. Errors: kNotFound saying what was looked for,
/// kInvalidArgument (several runs, an unknown scheme), kUnavailable, kIo.
[[nodiscard]] Result<std::unique_ptr<SnapshotCatalog>> open_catalog(
    const std::string& place);

/// The one run in `store`, which was opened at `place`: its key prefix, empty
/// when the store is opened at the run itself. Errors: kNotFound,
/// kInvalidArgument (several), those of the store.
[[nodiscard]] Result<std::string> only_run_in(
    ObjectStore& store,
    const std::string& place);

/// Which snapshot of `list` (ascending) a reference means: the one whose id
/// begins with `id`, or whose step it is. Errors: kNotFound, none or several.
[[nodiscard]] Result<std::string> choose_snapshot(
    const std::vector<SnapshotInfo>& list,
    const std::string& id);

/// Opens the one snapshot `ref` names, with its catalogue.
struct OpenedSnapshot {
  std::unique_ptr<SnapshotCatalog> catalog;
  std::unique_ptr<SnapshotReader> reader;
};

[[nodiscard]] Result<OpenedSnapshot> open_snapshot(std::string_view ref);

/// The one file consumers have no use for.
inline constexpr std::string_view kStateFile = "state.safetensors";

/// In a folder that `follow` keeps: the link to the snapshot to use.
inline constexpr std::string_view kCurrentLink = "current";

enum class PullFiles {
  kConsumers,  ///< model, head and their configs, with manifest.json
  kAll,        ///< state.safetensors as well
};

/// Copies a snapshot into `folder`. Files are verified on the way, gathered in
/// "<folder>.partial" and appear by rename: a new folder all at once, in one
/// that holds an older snapshot file by file, manifest.json last; files only
/// the older one had are removed. Errors: kCorruption, kIo, kExhausted;
/// kInvalidArgument, `folder` holds something else; kUnavailable, another
/// process is pulling into it.
[[nodiscard]] Status
pull(SnapshotReader& reader, const std::string& folder, PullFiles files);

/// Whether a snapshot can be written into `folder`; to be asked before hours of
/// work. Changes nothing but to make the folders above it. Errors: as `pull`.
[[nodiscard]] Status check_target_folder(const std::string& folder);

/// Writes a snapshot given as loose state into `folder` without a store:
/// `swavd init`, `swavd replay-step` and `swavd anneal`. Gives the id.
[[nodiscard]] Result<std::string> write_snapshot_folder(
    Manifest manifest,
    const FrozenState& state,
    const std::string& folder);

}  // namespace swavd::state
