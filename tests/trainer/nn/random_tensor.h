#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "ops/base/philox.h"

namespace swavd::trainer {

/// Standard normal float32 values, drawn from the stream `name`; channels last
/// when of four dimensions.
[[nodiscard]] inline at::Tensor random_tensor(
    at::IntArrayRef shape,
    const std::string& name) {
  Random random(stream_key(0, name));
  at::Tensor tensor = at::empty(shape);
  auto* values = tensor.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    values[i] = static_cast<float>(random.normal());
  }
  return shape.size() == 4 ? tensor.contiguous(at::MemoryFormat::ChannelsLast)
                           : tensor;
}

}  // namespace swavd::trainer
