#pragma once

#include <cstdint>
#include <vector>

#include "ops/base/result.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// Crops of one size: what the trunk takes in one pass.
struct CropShape {
  std::int64_t crops = 0;  ///< of each image
  std::int64_t size = 0;   ///< pixels
};

/// The tensor memory that a step has in use at its peak, bytes, worked out from
/// shapes alone.
struct StepMemory {
  std::uint64_t parameters = 0;
  std::uint64_t momenta = 0;
  std::uint64_t gradients = 0;
  std::uint64_t cast_weights = 0;  ///< of a reduced precision, with gradients
  std::uint64_t activations = 0;   ///< of the trunk
  std::uint64_t head = 0;          ///< activations, scores, codes and loss

  [[nodiscard]] std::uint64_t total() const {
    return parameters + momenta + gradients + cast_weights + activations + head;
  }
};

/// Of `images` images with all of `crops`. The same as measured to within a
/// fifth (see tests). Errors: kInvalidArgument (trunk options).
[[nodiscard]] Result<StepMemory> step_memory(
    const TrainerOptions& options,
    const std::vector<CropShape>& crops,
    std::int64_t images);

}  // namespace swavd::trainer
