#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ops/base/result.h"
#include "state/layouts.h"
#include "state/layouts/trunk_shape.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// Everything known before the first byte of weights is read.
struct ExportPlan {
  TrunkShape shape;
  std::string architecture;  ///< empty: the library has no name for it
  std::string note;          ///< for people; may be empty
  /// Small files, by name.
  std::vector<std::pair<std::string, std::string>> texts;
};

/// Reads the small files of a snapshot and decides what an export into `layout`
/// will be. Errors: kInvalidArgument: no model in the snapshot, a trunk with
/// names in one layout only, or one that the library builds with other widths;
/// those of `read_verified`.
[[nodiscard]] Result<ExportPlan> plan_export(
    SnapshotReader& snapshot,
    Layout layout);

/// What the safetensors files say of themselves: where they came from and what
/// they fit.
[[nodiscard]] std::map<std::string, std::string> export_metadata(
    const SnapshotReader& snapshot,
    Layout layout,
    const ExportPlan& plan);

}  // namespace swavd::state
