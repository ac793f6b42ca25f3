#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "trainer/torch/device_reader.h"
#include "trainer/trainer.h"

namespace swavd::trainer {

/// What a report tells of a step, still on the step's device.
struct StepFigures {
  at::Tensor loss;          ///< scalar
  at::Tensor grad_norm;     ///< scalar
  at::Tensor trust_ratios;  ///< see Optimizer::Update; undefined: none
  at::Tensor embeddings;    ///< [images, out] of the first crop
  at::Tensor scores;        ///< [images, K] of the first crop
};

/// Puts them into `report`. All are gathered on the device and fetched at once
/// (`reader` is nullptr on the CPU):
/// this is the one place where a step waits for its device. It comes before the
/// optimiser, so that the host can leave out the update of a step whose loss or
/// gradient is not finite.
void read_figures(
    const StepFigures& figures,
    DeviceReader* reader,
    StepReport& report);

}  // namespace swavd::trainer
