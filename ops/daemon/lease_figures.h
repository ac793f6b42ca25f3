#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace swavd::daemon {

/// How the run is held.
enum class LeaseState {
  kWaiting,  ///< not ours yet
  kLocal,    ///< no remote tier: the lock of the data folder is the lease
  kHeld,
  kOverdue,  ///< not renewed for its expiry: whoever asks may take it
  kLost,     ///< another owner has it
};

inline constexpr int kLeaseStates = 5;

[[nodiscard]] constexpr std::string_view to_string(LeaseState state) {
  switch (state) {
    case LeaseState::kWaiting:
      return "waiting";
    case LeaseState::kLocal:
      return "local";
    case LeaseState::kHeld:
      return "held";
    case LeaseState::kOverdue:
      return "overdue";
    case LeaseState::kLost:
      break;
  }
  return "lost";
}

/// What people see of the lease.
struct LeaseFigures {
  LeaseState state = LeaseState::kWaiting;
  std::string owner;  ///< "HOST, process PID"; empty: not known yet
  std::chrono::steady_clock::time_point renewed;  ///< for kHeld
  std::chrono::milliseconds expiry{0};
};

}  // namespace swavd::daemon
