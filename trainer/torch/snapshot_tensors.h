#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ops/base/result.h"
#include "state/frozen_state.h"
#include "state/snapshot_store.h"

namespace swavd::trainer {

/// A live tensor and where it lies in a snapshot.
struct SnapshotTensor {
  std::string file;  ///< "model.safetensors"; equal ones stand together
  std::string name;
  at::Tensor tensor;  ///< float32 or int64
};

/// Copies live tensors into staging memory that is allocated once and used
/// again and again. Not thread-safe, but what it gives may be let go of by any
/// thread.
class Staging {
 public:
  explicit Staging(std::vector<SnapshotTensor> tensors);

  struct Copy {
    std::vector<state::TensorFile> files;
    std::shared_ptr<const void> owner;  ///< keeps the bytes in `files`
  };

  /// A consistent copy. Aborts while two earlier ones are still owned, and
  /// when there is no memory for staging at all.
  [[nodiscard]] Copy copy() noexcept;

 private:
  struct Set {
    std::atomic<bool> in_use = false;
    std::vector<at::Tensor> tensors;  ///< contiguous, as in `tensors_`
  };

  [[nodiscard]] std::shared_ptr<Set> take_set();

  std::vector<SnapshotTensor> tensors_;
  std::array<std::shared_ptr<Set>, 2> sets_;
};

/// How much of the files they name the tensors to restore are.
enum class Coverage { kWholeFiles, kParts };

/// Copies a snapshot's values into live tensors, all or none. Errors:
/// kInvalidArgument naming the first tensor that is missing, too many (of whole
/// files) or of another shape or type; kNotFound, kIo, kCorruption from
/// reading.
[[nodiscard]] Status restore_tensors(
    const std::vector<SnapshotTensor>& tensors,
    state::SnapshotReader& snapshot,
    Coverage coverage = Coverage::kWholeFiles);

}  // namespace swavd::trainer
