#pragma once

#include <string>
#include <vector>

#include "ops/base/result.h"
#include "trainer/cuda/plugin_interface.h"

namespace swavd::trainer {

/// Opens the first of `paths` that exists and keeps it for the life of the
/// process. Errors: kNotFound, none exists; kUnavailable, it cannot be loaded,
/// is no plugin, or is that of another build.
[[nodiscard]] Result<const CudaPlugin*> open_plugin(
    const std::vector<std::string>& paths);

/// Where the plugin of this program may be, see `choose_device`.
[[nodiscard]] std::vector<std::string> plugin_paths();

/// The build that plugins have to be of.
[[nodiscard]] std::string_view plugin_build();

}  // namespace swavd::trainer
