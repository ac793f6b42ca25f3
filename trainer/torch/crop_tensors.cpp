#include "trainer/torch/crop_tensors.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

namespace swavd::trainer {

namespace {

Error bad_batch(std::string why) {
  return {ErrorCode::kInvalidArgument, "training batch: " + std::move(why)};
}

}  // namespace

Status check_training_batch(
    const loader::Batch& batch,
    std::int64_t assign_crops) {
  if (batch.images < 2) {
    return bad_batch(fmt::format("{} images, needs 2", batch.images));
  }
  std::int64_t crops = 0;
  for (const loader::CropGroup& group : batch.groups) {
    if (group.crops < 1 || group.size < 1 || group.data == nullptr) {
      return bad_batch(fmt::format(
          "a group of {} crops of {} pixels{}",
          group.crops,
          group.size,
          group.data == nullptr ? " without data" : ""));
    }
    crops += group.crops;
  }
  if (crops < 2 || crops < assign_crops) {
    return bad_batch(fmt::format(
        "{} crops an image, needs 2 and at least swav.assign_crops ({})",
        crops,
        assign_crops));
  }
  return ok_status();
}

at::Tensor group_tensor(const loader::CropGroup& group, std::int64_t images) {
  constexpr std::int64_t kChannels = 3;
  const std::int64_t size = group.size;
  return at::from_blob(
      group.data.get(),
      {group.crops * images, kChannels, size, size},
      {size * size * kChannels, 1, size * kChannels, kChannels});
}

std::vector<at::Tensor> resolution_passes(
    const std::vector<at::Tensor>& groups) {
  std::vector<at::Tensor> passes;
  std::int64_t last_size = 0;
  for (const at::Tensor& crops : groups) {
    const std::int64_t size = crops.size(2);
    if (size == last_size) {
      passes.back() = at::cat({passes.back(), crops});
    } else {
      passes.push_back(crops);
    }
    last_size = size;
  }
  return passes;
}

std::vector<at::Tensor> crop_passes(
    const std::vector<at::Tensor>& groups,
    std::int64_t images) {
  std::vector<at::Tensor> passes;
  for (const at::Tensor& crops : groups) {
    for (std::int64_t first = 0; first < crops.size(0); first += images) {
      passes.push_back(crops.narrow(0, first, images));
    }
  }
  return passes;
}

}  // namespace swavd::trainer
