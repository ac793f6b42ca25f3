#pragma once

#include <c10/core/DeviceType.h>

#include "trainer/options.h"

namespace swavd::trainer {

/// While it lives, matrix products and convolutions of this thread on `device`
/// run in the reduced type that the precision names; for float32 it does
/// nothing. Weights cast meanwhile are forgotten at the end.
class AutocastGuard {
 public:
  AutocastGuard(Precision precision, c10::DeviceType device);
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;
  ~AutocastGuard();

 private:
  c10::DeviceType device_;
  bool active_ = false;
};

/// What a guard of this thread asks for on `device` now.
[[nodiscard]] Precision current_precision(c10::DeviceType device);

/// From now on float32 means float32 on GPUs too: convolutions there may
/// otherwise round their operands to 10 bits (TF32). Of the whole process.
void compute_float32_exactly();

}  // namespace swavd::trainer
