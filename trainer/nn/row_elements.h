#pragma once

#include <ATen/core/Tensor.h>

namespace swavd::trainer {

/// True where the loops of norm_kernels.h can run over `x`: float32 and
/// bfloat16 on the CPU.
[[nodiscard]] inline bool has_plain_rows(const at::Tensor& x) {
  return x.is_cpu() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

/// Calls body with a value of the type of `x`'s elements, of which
/// `has_plain_rows` holds.
template <typename Body>
void with_elements_of(const at::Tensor& x, const Body& body) {
  if (x.scalar_type() == at::kFloat) {
    body(float{});
  } else {
    body(at::BFloat16{});
  }
}

}  // namespace swavd::trainer
