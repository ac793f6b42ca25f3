#include "trainer/nn/autocast.h"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>

namespace swavd::trainer {

AutocastGuard::AutocastGuard(Precision precision, c10::DeviceType device)
    : device_(device),
      active_(precision != Precision::kFloat32) {
  if (active_) {
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(
        device_, precision == Precision::kFloat16 ? at::kHalf : at::kBFloat16);
    at::autocast::set_autocast_enabled(device_, true);
  }
}

AutocastGuard::~AutocastGuard() {
  if (active_) {
    at::autocast::set_autocast_enabled(device_, false);
    at::autocast::decrement_nesting();
    at::autocast::clear_cache();
  }
}

Precision current_precision(c10::DeviceType device) {
  if (!at::autocast::is_autocast_enabled(device)) {
    return Precision::kFloat32;
  }
  return at::autocast::get_autocast_dtype(device) == at::kHalf
             ? Precision::kFloat16
             : Precision::kBfloat16;
}

void compute_float32_exactly() {
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
}

}  // namespace swavd::trainer
