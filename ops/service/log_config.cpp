#include "ops/service/log_config.h"

#include <utility>

#include "ops/base/log.h"

namespace swavd::service {

void apply_log_config(const Config& config) {
  LogLevel least = LogLevel::kInfo;
  for (const auto& [word, level] :
       {std::pair{"debug", LogLevel::kDebug},
        std::pair{"warning", LogLevel::kWarning},
        std::pair{"error", LogLevel::kError}}) {
    if (config.log.level == word) {
      least = level;
    }
  }
  configure_log(
      least, config.log.format == "json" ? LogFormat::kJson : LogFormat::kText);
}

}  // namespace swavd::service
