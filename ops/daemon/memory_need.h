#pragma once

#include <cstdint>
#include <string>

#include "ops/base/memory_limit.h"
#include "ops/base/result.h"
#include "ops/service/config.h"
#include "trainer/device.h"
#include "trainer/step_memory.h"

namespace swavd::daemon {

/// What a run needs of memory, bytes, worked out from its config. What the
/// program itself takes beside is not in it.
struct MemoryNeed {
  trainer::StepMemory step;
  std::uint64_t crops = 0;   ///< batches: in training, finished, being filled
  std::uint64_t window = 0;  ///< records of the shuffle window
  std::uint64_t frozen = 0;  ///< up to two copies of the state, for snapshots
  // On a GPU:
  bool on_device = false;
  std::uint64_t uploaded = 0;  ///< crops of two batches
  std::uint64_t shadow = 0;    ///< a copy of the state, on its way to the host

  [[nodiscard]] std::uint64_t total() const { return host() + device(); }

  /// Of the machine's.
  [[nodiscard]] std::uint64_t host() const {
    return crops + window + frozen + (on_device ? 0 : step.total());
  }

  /// Of the GPU's.
  [[nodiscard]] std::uint64_t device() const {
    return on_device ? step.total() + uploaded + shadow : 0;
  }
};

/// Zero for the ledger trainer. Errors: kInvalidArgument (trunk options).
[[nodiscard]] Result<MemoryNeed> memory_need(
    const service::Config& config,
    const trainer::ComputeDevice& device = {});

/// The parts and their sum: "1.23 GB: parameters 0.10, …".
[[nodiscard]] std::string to_string(const MemoryNeed& need);

/// Errors: kConfig when a run needs more than `limit`, or than the memory of
/// `device`, with the arithmetic and what to change. An unknown limit holds
/// everything.
[[nodiscard]] Status check_memory(
    const service::Config& config,
    const MemoryLimit& limit,
    const trainer::ComputeDevice& device = {});

}  // namespace swavd::daemon
