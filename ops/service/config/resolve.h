#pragma once

#include <map>
#include <string>
#include <vector>

#include "ops/service/config.h"

namespace swavd::service {

/// Where a value came from; a file of "" is a default.
struct Origin {
  std::string source;
  int line = 0;
};

/// "default", "FILE:LINE", "preset NAME", "environment", "flag".
[[nodiscard]] std::string to_string(const Origin& origin);

/// A merged config with everything that is wrong with it.
struct Resolved {
  Config config;
  std::map<std::string, Origin, std::less<>> origins;  ///< keys not default
  std::vector<ConfigMistake> mistakes;
  std::vector<ConfigMistake> warnings;
};

[[nodiscard]] Resolved resolve(const ConfigSources& sources);

}  // namespace swavd::service
