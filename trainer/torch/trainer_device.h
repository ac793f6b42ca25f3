#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dedup_free_loader/batch.h"
#include "trainer/torch/crop_upload.h"
#include "trainer/torch/device_reader.h"
#include "trainer/torch/snapshot_tensors.h"
#include "trainer/torch/tensor_device.h"

namespace swavd::trainer {

/// What a model that computes on a device needs beside its tensors: the ways
/// there and back. On the CPU all of it is nothing, and crops are used where
/// they lie. Not thread-safe.
class TrainerDevice {
 public:
  /// `link`: nullptr for the CPU. The calling thread is to be the one that
  /// computes.
  explicit TrainerDevice(std::shared_ptr<const DeviceLink> link);

  [[nodiscard]] const std::shared_ptr<const DeviceLink>& link() const {
    return link_;
  }

  /// Where tensors lie.
  [[nodiscard]] at::Device place() const { return tensor_device(link_.get()); }

  [[nodiscard]] loader::BufferAllocator allocator() const;

  [[nodiscard]] StagingDevice staging() const { return {link_, pinned_}; }

  /// nullptr on the CPU.
  [[nodiscard]] DeviceReader* reader() { return reader_ ? &*reader_ : nullptr; }

  /// nullptr on the CPU.
  [[nodiscard]] CropUpload* upload() { return upload_ ? &*upload_ : nullptr; }

  /// Crops for one use of the device.
  class Crops {
   public:
    /// Those of the batch's first `groups` groups.
    Crops(
        TrainerDevice& device,
        const loader::Batch& batch,
        std::size_t groups);
    Crops(const Crops&) = delete;
    Crops& operator=(const Crops&) = delete;
    ~Crops();

    /// [crops * images, 3, size, size] of each group, channels last.
    [[nodiscard]] const std::vector<at::Tensor>& groups() const {
      return groups_;
    }

   private:
    CropUpload* upload_;
    std::vector<at::Tensor> groups_;
  };

 private:
  std::shared_ptr<const DeviceLink> link_;
  std::shared_ptr<PinnedMemory> pinned_;
  std::optional<DeviceReader> reader_;
  std::optional<CropUpload> upload_;
};

}  // namespace swavd::trainer
