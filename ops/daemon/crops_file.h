#pragma once

#include <string>

#include "dedup_free_loader/batch.h"
#include "ops/base/result.h"

namespace swavd::daemon {

/// Reads the crops of `swavd replay-step`: a safetensors file of the tensors
/// crop.0 … crop.N and no other, each float32 [images, 3, side, side] and
/// normalised; `images` is the same in all. Neighbours of one side make one
/// group, crop-major, as the loader's do. The slots name no records. Errors:
/// kNotFound, kIo; kCorruption, no safetensors file; kInvalidArgument naming
/// the tensor that does not fit.
[[nodiscard]] Result<loader::Batch> read_crops_file(const std::string& path);

}  // namespace swavd::daemon
