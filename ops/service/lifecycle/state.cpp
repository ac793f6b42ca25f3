#include "ops/service/lifecycle.h"

namespace swavd::service {

std::string_view to_string(State state) {
  switch (state) {
    case State::kStarting:
      return "starting";
    case State::kRestoring:
      return "restoring";
    case State::kTraining:
      return "training";
    case State::kPaused:
      return "paused";
    case State::kDraining:
      return "draining";
    case State::kDegraded:
      return "degraded";
  }
  return "";
}

}  // namespace swavd::service
