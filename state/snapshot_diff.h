#pragma once

#include <string>

#include "ops/base/result.h"
#include "state/snapshot_commands.h"

namespace swavd::state {

/// What lies between two snapshots: steps, images and time; the health of
/// both; the relative L2 distance of the weights per part of the model; how
/// far each partition has been read; configuration keys that differ. `ref_b`
/// may be "@ID" for another snapshot of the same place. As text, or as one
/// object {"a","b","steps","images","seconds","same_run","weights":[{"part",
/// "relative_l2","elements","tensors","changed_tensors"}],"weights_reason",
/// "positions":[{"topic","partition","next","trained","rejected","skipped"}],
/// "config":[{"key","a","b"}]}; snapshots with other tensors have null for
/// "weights" and say why. Errors: those of `open_snapshot`; kCorruption.
[[nodiscard]] Result<std::string> diff_command(
    const std::string& ref_a,
    const std::string& ref_b,
    OutputFormat format);

}  // namespace swavd::state
