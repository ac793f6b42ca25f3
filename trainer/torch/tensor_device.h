#pragma once

#include <c10/core/Device.h>

#include "trainer/device/device_link.h"

namespace swavd::trainer {

/// Where LibTorch's tensors lie for a device; nullptr: the CPU.
[[nodiscard]] inline c10::Device tensor_device(const DeviceLink* link) {
  if (link == nullptr || link->on_host()) {
    return c10::DeviceType::CPU;
  }
  return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(link->index())};
}

}  // namespace swavd::trainer
