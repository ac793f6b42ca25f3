#pragma once

#include <span>
#include <string_view>

namespace swavd::service {

/// A preset as it was built in from ops/deploy/presets.
struct Preset {
  std::string_view name;
  std::string_view toml;
};

/// In the order of their names; made by the build.
[[nodiscard]] std::span<const Preset> presets();

/// nullptr when there is none of that name.
[[nodiscard]] const Preset* find_preset(std::string_view name);

}  // namespace swavd::service
