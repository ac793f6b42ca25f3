#pragma once

#include <cstdint>
#include <string>

namespace swavd::daemon {

/// What people see of the newest probe.
struct ProbeFigures {
  std::string snapshot_id;
  std::uint64_t step = 0;     ///< of that snapshot
  double top1 = 0;            ///< kNN, percent
  double standard_error = 0;  ///< percent
  double pixels_top1 = 0;     ///< kNN on raw pixels, percent
  std::uint64_t bank = 0;     ///< images
  std::uint64_t queries = 0;  ///< images
  std::int64_t ended_ms = 0;  ///< Unix
};

}  // namespace swavd::daemon
