#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dedup_free_loader/batch.h"
#include "ops/base/result.h"

namespace swavd::trainer {

/// Checks that a batch can be trained on: at least two images (BatchNorm needs
/// a spread), more than one crop and at least `assign_crops`, every buffer
/// there. Errors: kInvalidArgument.
[[nodiscard]] Status check_training_batch(
    const loader::Batch& batch,
    std::int64_t assign_crops);

/// The crops of a group as [crops * images, 3, size, size] float32, channels
/// last: the same memory, borrowed while the tensor is used.
[[nodiscard]] at::Tensor group_tensor(
    const loader::CropGroup& group,
    std::int64_t images);

/// What the trunk takes in one pass each, of crops as `group_tensor` gives
/// them: groups in order, neighbours of equal size joined.
[[nodiscard]] std::vector<at::Tensor> resolution_passes(
    const std::vector<at::Tensor>& groups);

/// The same with one pass for each crop of the `images` images: borrowed views.
[[nodiscard]] std::vector<at::Tensor> crop_passes(
    const std::vector<at::Tensor>& groups,
    std::int64_t images);

}  // namespace swavd::trainer
