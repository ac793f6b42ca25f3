#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ops/base/result.h"

namespace swavd::state {

/// The names of the files that hold the model in `folder`, the head's last; see
/// `WeightFiles::open`. Errors: kInvalidArgument saying what is there instead;
/// kCorruption, kIo.
[[nodiscard]] Result<std::vector<std::string>> files_of_model(
    const std::filesystem::path& folder);

}  // namespace swavd::state
