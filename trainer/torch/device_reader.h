#pragma once

#include <memory>

#include <ATen/core/Tensor.h>

#include "trainer/device/device_link.h"
#include "trainer/device/pinned_memory.h"

namespace swavd::trainer {

/// Brings results from a device to the host, through pinned memory that is
/// used again and again. Not thread-safe.
class DeviceReader {
 public:
  DeviceReader(
      std::shared_ptr<const DeviceLink> link,
      std::shared_ptr<PinnedMemory> pinned);

  /// `values` on the CPU, contiguous; waits for the device. Valid until the
  /// next call.
  [[nodiscard]] at::Tensor fetch(const at::Tensor& values);

 private:
  std::shared_ptr<const DeviceLink> link_;
  PinnedBlock block_;
  DeviceEvent arrived_;
};

/// The same without a device: `reader` may be nullptr for tensors of the CPU.
[[nodiscard]] at::Tensor on_host(
    const at::Tensor& values,
    DeviceReader* reader);

}  // namespace swavd::trainer
