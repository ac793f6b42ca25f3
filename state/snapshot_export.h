#pragma once

#include <string>

#include "ops/base/result.h"
#include "state/layouts.h"
#include "state/snapshot_commands.h"

namespace swavd::state {

struct ExportOptions {
  Layout layout = Layout::kHuggingFace;
  bool with_head = false;  ///< "head.safetensors" as well
};

/// Writes the published model of a snapshot into the new folder `folder`, under
/// the names of another library, bit by bit the same values:
///   model.safetensors   the trunk and nothing else
///   config.json         Hugging Face: as in the snapshot; timm: of its model
///                       hub, where timm has a model of these widths
///   preprocessor_config.json   as in the snapshot; not with timm's
///   config.json,
///                       which says the same
/// The weights pass through memory piece by piece, every digest is checked, and
/// the folder appears at once, synced. Says what was written, or {"id","step",
/// "layout","architecture","folder","bytes","files":[…],"note"}; `architecture`
/// is null where the library has no name for these widths, and `note` says what
/// then. Errors: those of `open_snapshot`; kInvalidArgument (a trunk that the
/// library builds with other widths, one that is no RegNet, `folder` is not
/// empty); kCorruption, kIo, kExhausted; kUnavailable, another process is
/// writing it.
[[nodiscard]] Result<std::string> export_command(
    const std::string& ref,
    const std::string& folder,
    const ExportOptions& options,
    OutputFormat format);

}  // namespace swavd::state
