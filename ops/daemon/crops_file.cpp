#include "ops/daemon/crops_file.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/base/files.h"
#include "state/safetensors.h"

namespace swavd::daemon {

namespace {

constexpr std::int64_t kChannels = 3;
constexpr std::int64_t kMostOfOne = std::numeric_limits<std::int32_t>::max();

/// All crops, in order, have the first one's number of images.
Status check_crop(const state::TensorView& crop, std::int64_t images) {
  const std::vector<std::int64_t>& shape = crop.shape;
  const auto is_count = [](std::int64_t extent) {
    return extent >= 1 && extent <= kMostOfOne;
  };
  const bool fits = crop.dtype == state::DType::kF32 && shape.size() == 4 &&
                    shape[0] == images && shape[1] == kChannels &&
                    shape[2] == shape[3] && is_count(images) &&
                    is_count(shape[2]);
  if (fits) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{} is {} [{}]; it must be F32 [{}, 3, SIDE, SIDE], all crops with "
          "as many images as crop.0",
          crop.name,
          to_string(crop.dtype),
          fmt::join(shape, ", "),
          is_count(images) ? std::to_string(images) : "IMAGES")};
}

Result<std::vector<const state::TensorView*>> find_crops(
    const state::SafetensorsView& file) {
  std::vector<const state::TensorView*> crops;
  while (const state::TensorView* crop =
             file.find(fmt::format("crop.{}", crops.size()))) {
    crops.push_back(crop);
  }
  if (crops.size() < file.tensors.size() || crops.empty()) {
    std::vector<std::string> names;
    for (const state::TensorView& tensor : file.tensors) {
      names.push_back(tensor.name);
    }
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "holds the tensors [{}]; they must be crop.0, crop.1, … without a "
            "gap and no other",
            fmt::join(names, ", "))};
  }
  const std::int64_t images =
      crops[0]->shape.empty() ? 0 : crops[0]->shape.front();
  for (const state::TensorView* crop : crops) {
    SWAVD_RETURN_IF_ERROR(check_crop(*crop, images));
  }
  return crops;
}

/// [images, 3, side, side] as it lies in a file, at any address, to the
/// loader's [images, side, side, 3].
void to_channels_last(Bytes from, std::int64_t images, float* to) {
  std::vector<float> planes(from.size() / sizeof(float));
  std::memcpy(planes.data(), from.data(), from.size());
  const std::int64_t area =
      static_cast<std::int64_t>(planes.size()) / (images * kChannels);
  const float* plane = planes.data();
  for (std::int64_t image = 0; image < images; ++image) {
    for (std::int64_t channel = 0; channel < kChannels; ++channel) {
      float* out = to + image * area * kChannels + channel;
      for (std::int64_t pixel = 0; pixel < area; ++pixel) {
        out[pixel * kChannels] = plane[pixel];
      }
      plane += area;
    }
  }
}

loader::CropGroup group_of(const std::vector<const state::TensorView*>& crops) {
  const std::int64_t images = crops[0]->shape[0];
  const std::size_t floats = crops[0]->data.size() / sizeof(float);
  loader::BufferPool pool(loader::host_allocator(), crops.size() * floats);
  loader::CropGroup group{
      static_cast<std::int32_t>(crops.size()),
      static_cast<std::int32_t>(crops[0]->shape[2]),
      pool.take()};
  float* to = group.data.get();
  for (const state::TensorView* crop : crops) {
    to_channels_last(crop->data, images, to);
    to += floats;
  }
  return group;
}

Result<loader::Batch> batch_of(const state::SafetensorsView& file) {
  const auto crops = find_crops(file);
  if (!crops.ok()) {
    return crops.error();
  }
  loader::Batch batch;
  batch.images = static_cast<std::int32_t>(crops.value()[0]->shape[0]);
  batch.slots.resize(static_cast<std::size_t>(batch.images));
  std::vector<const state::TensorView*> neighbours;
  for (const state::TensorView* crop : crops.value()) {
    if (!neighbours.empty() && neighbours[0]->shape != crop->shape) {
      batch.groups.push_back(group_of(neighbours));
      neighbours.clear();
    }
    neighbours.push_back(crop);
  }
  batch.groups.push_back(group_of(neighbours));
  return batch;
}

}  // namespace

Result<loader::Batch> read_crops_file(const std::string& path) {
  const auto bytes = read_file(path);
  if (!bytes.ok()) {
    return bytes.error();
  }
  const auto file = state::parse_safetensors(bytes.value());
  if (!file.ok()) {
    return file.error().with_context(path);
  }
  auto batch = batch_of(file.value());
  if (!batch.ok()) {
    return batch.error().with_context(path);
  }
  return batch;
}

}  // namespace swavd::daemon
