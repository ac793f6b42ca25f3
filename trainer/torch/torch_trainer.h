#pragma once

#include <memory>

#include "ops/base/result.h"
#include "trainer/device/device_link.h"
#include "trainer/trainer.h"

namespace swavd::trainer {

/// `make_torch_trainer` for the device of `link` (nullptr: the CPU), whatever
/// the options say.
[[nodiscard]] Result<std::unique_ptr<Trainer>> make_torch_trainer_on(
    const TrainerOptions& options,
    std::shared_ptr<const DeviceLink> link);

}  // namespace swavd::trainer
