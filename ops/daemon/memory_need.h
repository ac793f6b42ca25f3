#pragma once

#include <cstdint>
#include <string>

#include "ops/base/memory_limit.h"
#include "ops/base/result.h"
#include "ops/service/config.h"
#include "trainer/step_memory.h"

namespace swavd::daemon {

/// What a run needs of the machine's memory, bytes, worked out from its config.
/// What the program itself takes beside is not in it.
struct MemoryNeed {
  trainer::StepMemory step;
  std::uint64_t crops = 0;   ///< batches: in training, finished, being filled
  std::uint64_t frozen = 0;  ///< up to two copies of the state, for snapshots

  [[nodiscard]] std::uint64_t total() const {
    return step.total() + crops + frozen;
  }
};

/// Zero for the ledger trainer. Errors: kInvalidArgument (trunk options).
[[nodiscard]] Result<MemoryNeed> memory_need(const service::Config& config);

/// The parts and their sum: "1.23 GB: parameters 0.10, …".
[[nodiscard]] std::string to_string(const MemoryNeed& need);

/// Errors: kConfig when a run needs more than `limit`, with the arithmetic and
/// what to change. An unknown limit holds everything.
[[nodiscard]] Status check_memory(
    const service::Config& config,
    const MemoryLimit& limit);

}  // namespace swavd::daemon
