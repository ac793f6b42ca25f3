#pragma once

#include <cstddef>
#include <cstdint>

#include "state/frozen_state.h"

namespace swavd::state {

/// True for F16, BF16, F32 and F64.
[[nodiscard]] bool is_float(DType dtype);

/// Element `index` of a tensor of floats, exactly; `bytes` is where its data
/// begins, at any alignment. The files are little-endian, as the machines this
/// runs on are. 0 for a tensor of integers.
[[nodiscard]] double
element(DType dtype, const std::uint8_t* bytes, std::size_t index);

}  // namespace swavd::state
