#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "ops/base/clock.h"
#include "ops/base/result.h"
#include "state/snapshot_commands.h"

namespace swavd::state {

struct RollbackOptions {
  OutputFormat format = OutputFormat::kText;
  /// Takes the run from a daemon that may be alive; it is fenced then.
  bool take_over = false;
  /// Blocks for so long; false: told to give up.
  std::function<bool(std::chrono::milliseconds)> wait;
};

/// Lets the run of `ref` continue from one of its snapshots, which `ref` must
/// name: claims a generation that starts there, in the data folder and the
/// object store its record names, or in the object store alone. Later
/// snapshots stay readable, but are off the run's line. Says what it did, or
/// {"id","generation","left":[ids]}.
/// Errors: kInvalidArgument (no id, not a run); kFenced (a daemon has the run);
/// kNotFound; those of `RunLease::claim`.
[[nodiscard]] Result<std::string> rollback_command(
    const std::string& ref,
    const Clock& clock,
    const RollbackOptions& options);

}  // namespace swavd::state
