#include "trainer/torch/trainer_device.h"

#include <span>

#include "trainer/nn/autocast.h"
#include "trainer/torch/crop_tensors.h"

namespace swavd::trainer {

TrainerDevice::TrainerDevice(std::shared_ptr<const DeviceLink> link)
    : link_(std::move(link)) {
  if (link_ == nullptr) {
    return;
  }
  link_->select();
  compute_float32_exactly();
  pinned_ = std::make_shared<PinnedMemory>(link_);
  reader_.emplace(link_, pinned_);
  upload_.emplace(link_, pinned_);
}

loader::BufferAllocator TrainerDevice::allocator() const {
  return link_ == nullptr ? loader::host_allocator()
                          : pinned_allocator(pinned_);
}

TrainerDevice::Crops::Crops(
    TrainerDevice& device,
    const loader::Batch& batch,
    std::size_t groups)
    : upload_(device.upload()) {
  const std::span wanted = std::span(batch.groups).first(groups);
  if (upload_ != nullptr) {
    groups_ = upload_->take(wanted, batch.images);
    return;
  }
  for (const loader::CropGroup& group : wanted) {
    groups_.push_back(group_tensor(group, batch.images));
  }
}

TrainerDevice::Crops::~Crops() {
  groups_.clear();
  try {
    if (upload_ != nullptr) {
      upload_->release();
    }
  } catch (const DeviceFailure&) {
    // The device is lost; whoever uses it next is told.
  }
}

}  // namespace swavd::trainer
