#include "trainer/torch/autocast.h"

#include <ATen/autocast_mode.h>

namespace swavd::trainer {

AutocastGuard::AutocastGuard(Precision precision)
    : active_(precision == Precision::kBfloat16) {
  if (active_) {
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCPU, true);
  }
}

AutocastGuard::~AutocastGuard() {
  if (active_) {
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::decrement_nesting();
    at::autocast::clear_cache();
  }
}

}  // namespace swavd::trainer
