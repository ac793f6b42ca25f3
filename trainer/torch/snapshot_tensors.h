#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ops/base/result.h"
#include "state/frozen_state.h"
#include "state/snapshot_store.h"
#include "trainer/device/device_link.h"
#include "trainer/device/pinned_memory.h"

namespace swavd::trainer {

/// A live tensor and where it lies in a snapshot.
struct SnapshotTensor {
  std::string file;  ///< "model.safetensors"; equal ones stand together
  std::string name;
  at::Tensor tensor;  ///< float32 or int64
};

/// The way to the host for tensors of a device.
struct StagingDevice {
  std::shared_ptr<const DeviceLink> link;  ///< nullptr: there is none
  std::shared_ptr<PinnedMemory> pinned;
};

/// Copies live tensors into staging memory that is allocated once and used
/// again and again. What lies on a device is first copied to another place
/// there, which takes no time to speak of, and goes to the host from there on a
/// stream of its own while the device works on. Not thread-safe, but what it
/// gives may be waited for and let go of by any thread.
class Staging {
 public:
  explicit Staging(
      std::vector<SnapshotTensor> tensors,
      StagingDevice device = {});

  struct Copy {
    std::vector<state::TensorFile> files;
    std::shared_ptr<const void> owner;  ///< keeps the bytes in `files`
    std::function<Status()> wait;       ///< see state::FrozenState
  };

  /// A consistent copy. Aborts while two earlier ones are still owned, and
  /// when there is no memory for staging at all.
  [[nodiscard]] Copy copy() noexcept;

 private:
  struct Set {
    std::atomic<bool> in_use = false;
    std::vector<at::Tensor> tensors;  ///< contiguous, as in `tensors_`
    // With a device:
    std::unique_ptr<PinnedBlock> block;    ///< where `tensors` lie
    std::shared_ptr<DeviceEvent> arrived;  ///< the device's part of them
  };

  /// The copy on the device, in one piece so that it crosses in one piece.
  struct Shadow {
    explicit Shadow(const std::shared_ptr<const DeviceLink>& link)
        : stream(link),
          copied(link) {}

    Shadow(const Shadow&) = delete;
    Shadow& operator=(const Shadow&) = delete;

    /// Waits until nobody reads it any more.
    ~Shadow();

    at::Tensor whole;
    /// Parts of it, as in `tensors_`; undefined for what the host has.
    std::vector<at::Tensor> tensors;
    DeviceStream stream;
    DeviceEvent copied;
    std::shared_ptr<const DeviceEvent> read;  ///< the latest crossing's end
  };

  [[nodiscard]] bool on_device(const at::Tensor& tensor) const;
  [[nodiscard]] std::shared_ptr<Set> make_set() const;
  [[nodiscard]] std::shared_ptr<Set> take_set();
  void copy_values(Set& set);
  void copy_by_device(Set& set);

  std::vector<SnapshotTensor> tensors_;
  StagingDevice device_;
  std::array<std::shared_ptr<Set>, 2> sets_;
  std::unique_ptr<Shadow> shadow_;  ///< made by the first copy
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
