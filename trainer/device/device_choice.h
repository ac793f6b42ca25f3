#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "ops/base/result.h"
#include "trainer/device.h"
#include "trainer/device/device_link.h"

namespace swavd::trainer {

/// A device and the way to it.
struct ChosenDevice {
  ComputeDevice device;
  std::shared_ptr<const DeviceLink> link;  ///< nullptr: the CPU
};

/// Opens the plugin: what `open_plugin` gives.
using OpenPlugin = std::function<Result<const CudaPlugin*>()>;

/// `choose_device`; `open` is called unless the CPU is wanted.
[[nodiscard]] Result<ChosenDevice> choose_among(
    std::string_view wanted,
    const OpenPlugin& open);

/// The same with the plugin of this process, opened once.
[[nodiscard]] Result<ChosenDevice> choose_here(std::string_view wanted);

}  // namespace swavd::trainer
