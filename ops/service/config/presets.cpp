#include "ops/service/config/presets.h"

#include <algorithm>
#include <string>
#include <vector>

#include "ops/service/config.h"

namespace swavd::service {

const Preset* find_preset(std::string_view name) {
  const auto all = presets();
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const Preset& preset) {
        return preset.name == name;
      });
  return found == all.end() ? nullptr : &*found;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) {
    names.emplace_back(preset.name);
  }
  return names;
}

}  // namespace swavd::service
