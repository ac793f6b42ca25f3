#pragma once

#include <string>

#include "ops/base/result.h"
#include "ops/daemon/evaluate.h"
#include "ops/service/config.h"

namespace swavd::daemon {

/// `swavd embed`: writes tensor `features` [N, D] float32; metadata `paths`
/// is a JSON array of the N names, `snapshot` the id. Errors: kIo.
[[nodiscard]] Status write_features(
    const EmbeddedImages& images,
    const std::string& snapshot_id,
    const std::string& file);

/// `swavd init`: a snapshot of step 0 in `folder`, with the weights of
/// `model.init_from` where that is set. Gives its id. Errors: those of
/// `begin_with_given_weights`; kInvalidArgument, kIo.
[[nodiscard]] Result<std::string> init_snapshot(
    const service::Config& config,
    const std::string& folder);

}  // namespace swavd::daemon
