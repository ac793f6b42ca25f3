#pragma once

#include "trainer/options.h"

namespace swavd::trainer {

/// While it lives, matrix products and convolutions of this thread run in
/// bfloat16 when the precision asks for it; otherwise does nothing. Weights
/// cast meanwhile are forgotten at the end.
class AutocastGuard {
 public:
  explicit AutocastGuard(Precision precision);
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;
  ~AutocastGuard();

 private:
  bool active_ = false;
};

}  // namespace swavd::trainer
