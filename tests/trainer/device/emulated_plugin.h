#pragma once

#include <cstdint>

#include "trainer/cuda/plugin_interface.h"

namespace swavd::trainer {

/// A device played by the host: its memory is the host's, its kernels are the
/// functors run by a team of one. What LibTorch's operators would put into the
/// current stream has happened by the time they return; other streams work as
/// late as they may, when somebody waits for them. So a wait that is missing
/// shows as old data, and one piece of pinned memory that is used anew too
/// early as new data.
[[nodiscard]] const CudaPlugin& emulated_plugin();

/// What it was asked for since the process began.
struct EmulationCounts {
  std::uint64_t pinned_allocations = 0;
  std::uint64_t pinned_blocks = 0;  ///< there now
  std::uint64_t copies = 0;
  std::uint64_t late_copies = 0;  ///< of them, those put off
  std::uint64_t sinkhorns = 0;
  std::uint64_t updates = 0;
};

[[nodiscard]] EmulationCounts emulation_counts();

}  // namespace swavd::trainer
