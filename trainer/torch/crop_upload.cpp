#include "trainer/torch/crop_upload.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <ATen/ops/empty.h>

#include "ops/base/check.h"
#include "trainer/torch/tensor_device.h"

namespace swavd::trainer {

namespace {

constexpr std::int64_t kChannels = 3;

std::vector<std::int64_t> shape_of(
    const loader::CropGroup& group,
    std::int64_t images) {
  return {group.crops * images, kChannels, group.size, group.size};
}

}  // namespace

CropUpload::CropUpload(
    std::shared_ptr<const DeviceLink> link,
    std::shared_ptr<PinnedMemory> pinned)
    : link_(std::move(link)),
      pinned_(std::move(pinned)),
      stream_(link_),
      slots_{Slot(link_, pinned_), Slot(link_, pinned_)} {}

CropUpload::~CropUpload() {
  for (Slot& slot : slots_) {
    try {
      empty(slot);
    } catch (const DeviceFailure&) {
      // The device is lost, and with it all that was on its way there.
    }
  }
}

CropUpload::Slot* CropUpload::find(std::span<const loader::CropGroup> groups) {
  for (Slot& slot : slots_) {
    const bool same =
        slot.use != Use::kFree &&
        std::ranges::equal(
            slot.sources, groups, {}, {}, &loader::CropGroup::data);
    if (same) {
      return &slot;
    }
  }
  return nullptr;
}

CropUpload::Slot* CropUpload::free_slot() {
  for (Slot& slot : slots_) {
    if (slot.use == Use::kFree) {
      return &slot;
    }
  }
  return nullptr;
}

void CropUpload::empty(Slot& slot) {
  if (slot.use != Use::kFree) {
    slot.uploaded.synchronise();  // or the loader fills what is being read
    slot.sources.clear();
    slot.use = Use::kFree;
  }
}

void CropUpload::fill(
    Slot& slot,
    std::span<const loader::CropGroup> groups,
    std::int64_t images) {
  const auto options = at::dtype(at::kFloat).device(tensor_device(link_.get()));
  slot.buffers.resize(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    at::Tensor& buffer = slot.buffers[i];
    const auto shape = shape_of(groups[i], images);
    if (!buffer.defined() || buffer.sizes() != at::IntArrayRef(shape)) {
      buffer = at::empty(shape, options, at::MemoryFormat::ChannelsLast);
      // The allocator may hand out what the current stream still works on.
      slot.left.record(link_->current_stream());
    }
  }
  slot.left.hold(stream_.get());
  std::size_t pageable = 0;
  const auto is_pinned = [&](std::size_t i) {
    return pinned_->holds(groups[i].data.get(), slot.buffers[i].nbytes());
  };
  for (std::size_t i = 0; i < groups.size(); ++i) {
    pageable += is_pinned(i) ? 0 : slot.buffers[i].nbytes();
  }
  std::byte* staging = pageable > 0 ? slot.staging.at_least(pageable) : nullptr;
  slot.sources.clear();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t bytes = slot.buffers[i].nbytes();
    const void* from = groups[i].data.get();
    if (!is_pinned(i)) {
      std::memcpy(staging, from, bytes);
      from = staging;
      staging += bytes;
    }
    link_->copy(slot.buffers[i].mutable_data_ptr(), from, bytes, stream_.get());
    slot.sources.push_back(groups[i].data);
  }
  slot.uploaded.record(stream_.get());
  slot.use = Use::kBegun;
  slot.order = ++begun_;
  staged_bytes_ += pageable;
}

void CropUpload::begin(
    std::span<const loader::CropGroup> groups,
    std::int64_t images) {
  if (find(groups) != nullptr) {
    return;
  }
  if (Slot* slot = free_slot()) {
    fill(*slot, groups, images);
  }
}

std::vector<at::Tensor> CropUpload::take(
    std::span<const loader::CropGroup> groups,
    std::int64_t images) {
  Slot* slot = find(groups);
  if (slot == nullptr) {
    slot = free_slot();
    if (slot == nullptr) {
      // Begun and then not wanted: the older one makes room.
      slot = &*std::ranges::min_element(slots_, {}, &Slot::order);
      SWAVD_CHECK(slot->use == Use::kBegun);
      empty(*slot);
    }
    fill(*slot, groups, images);
  }
  SWAVD_CHECK(slot->use == Use::kBegun);
  slot->use = Use::kTaken;
  slot->uploaded.hold(link_->current_stream());
  return slot->buffers;
}

void CropUpload::release() {
  for (Slot& slot : slots_) {
    if (slot.use == Use::kTaken) {
      slot.left.record(link_->current_stream());
      empty(slot);
    }
  }
}

}  // namespace swavd::trainer
