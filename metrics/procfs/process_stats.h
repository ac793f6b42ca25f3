#pragma once

#include <cstdint>

namespace swavd::metrics {

/// What the kernel says about this process.
struct ProcessStats {
  double cpu_seconds = 0;         ///< user and system, all threads
  double start_time_seconds = 0;  ///< since the epoch
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_fds = 0;
  std::uint64_t max_fds = 0;
};

/// Reads /proc/self; what cannot be read stays 0. Thread-safe.
[[nodiscard]] ProcessStats read_process_stats();

}  // namespace swavd::metrics
