#include "trainer/torch/crop_upload.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/trainer/device/all_devices.h"
#include "tests/trainer/torch/small_trainer.h"
#include "trainer/torch/crop_tensors.h"
#include "trainer/torch/tensor_device.h"

namespace swavd::trainer {
namespace {

class CropUploads : public AllDevices {
 protected:
  void SetUp() override {
    AllDevices::SetUp();
    if (!IsSkipped()) {
      pinned_ = std::make_shared<PinnedMemory>(link());
      upload_.emplace(link(), pinned_);
    }
  }

  /// The crops of `step` in pinned memory, as a loader has them.
  loader::Batch pinned_batch(int step) {
    loader::Batch batch = small_batch(step);
    const loader::BufferAllocator allocator = pinned_allocator(pinned_);
    for (loader::CropGroup& group : batch.groups) {
      const auto floats = static_cast<std::size_t>(group.crops * batch.images) *
                          static_cast<std::size_t>(group.size * group.size * 3);
      loader::BufferPool pool(allocator, floats);
      const std::shared_ptr<float> buffer = pool.take();
      std::copy_n(group.data.get(), floats, buffer.get());
      group.data = buffer;
    }
    return batch;
  }

  std::vector<at::Tensor> take(const loader::Batch& batch) {
    return upload_->take(batch.groups, batch.images);
  }

  void begin(const loader::Batch& batch) {
    upload_->begin(batch.groups, batch.images);
  }

  /// That `crops` are those of `step`.
  static void expect_crops(const std::vector<at::Tensor>& crops, int step) {
    const loader::Batch batch = small_batch(step);
    ASSERT_EQ(crops.size(), batch.groups.size());
    for (std::size_t i = 0; i < crops.size(); ++i) {
      EXPECT_TRUE(crops[i].is_contiguous(at::MemoryFormat::ChannelsLast));
      EXPECT_TRUE(
          crops[i].cpu().equal(group_tensor(batch.groups[i], batch.images)));
    }
  }

  std::shared_ptr<PinnedMemory> pinned_;
  std::optional<CropUpload> upload_;
};

TEST_P(CropUploads, CropsArriveAsTheyWere) {
  const std::vector<at::Tensor> crops = take(pinned_batch(0));
  EXPECT_EQ(crops[0].device(), tensor_device(link().get()));
  expect_crops(crops, 0);
  EXPECT_EQ(upload_->staged_bytes(), 0U);
}

TEST_P(CropUploads, TheNextBatchMayBeOnItsWayMeanwhile) {
  loader::Batch batch = pinned_batch(0);
  for (int step = 0; step < 5; ++step) {
    loader::Batch next = pinned_batch(step + 1);
    begin(batch);
    begin(next);
    expect_crops(take(batch), step);
    upload_->release();
    batch = std::move(next);
  }
}

TEST_P(CropUploads, WhatWasBegunIsNotUploadedAgain) {
  const loader::Batch batch = pinned_batch(0);
  const EmulationCounts before = emulation_counts();
  begin(batch);
  begin(batch);
  expect_crops(take(batch), 0);
  if (link()->on_host()) {
    const EmulationCounts after = emulation_counts();
    EXPECT_EQ(after.copies - before.copies, batch.groups.size());
    EXPECT_EQ(after.late_copies - before.late_copies, batch.groups.size());
  }
}

TEST_P(CropUploads, TheLoadersBuffersAreHeldUntilTheCropsAreThere) {
  loader::Batch batch = pinned_batch(0);
  const std::weak_ptr<float> buffer = batch.groups[0].data;
  begin(batch);
  const std::vector<loader::CropGroup> groups = std::move(batch.groups);
  const std::vector<at::Tensor> crops = upload_->take(groups, batch.images);
  EXPECT_FALSE(buffer.expired());
  expect_crops(crops, 0);
  upload_->release();
  EXPECT_EQ(buffer.use_count(), 1);
}

TEST_P(CropUploads, TwoSetsOfBuffersServeForEver) {
  std::set<const void*> places;
  std::uint64_t allocations = 0;
  loader::Batch batch = pinned_batch(0);
  for (int step = 0; step < 6; ++step) {
    loader::Batch next = pinned_batch(step + 1);
    const std::vector<at::Tensor> crops = take(batch);
    places.insert(crops[0].const_data_ptr());
    begin(next);
    upload_->release();
    batch = std::move(next);
    if (step == 2) {
      allocations = link()->memory().allocations;
    }
  }
  EXPECT_EQ(places.size(), 2U);
  EXPECT_EQ(link()->memory().allocations, allocations);
}

TEST_P(CropUploads, PageableCropsGoByWayOfPinnedMemory) {
  for (int step = 0; step < 3; ++step) {
    expect_crops(take(small_batch(step)), step);
    upload_->release();
  }
  const loader::Batch batch = small_batch(0);
  std::uint64_t bytes = 0;
  for (const loader::CropGroup& group : batch.groups) {
    bytes += group_tensor(group, batch.images).nbytes();
  }
  EXPECT_EQ(upload_->staged_bytes(), 3 * bytes);
  EXPECT_LE(pinned_->allocations(), 2U);
}

TEST_P(CropUploads, ABatchThatNeverCameMakesRoom) {
  begin(pinned_batch(0));
  begin(pinned_batch(1));
  begin(pinned_batch(2));  // no room: nothing happens
  expect_crops(take(pinned_batch(3)), 3);
  upload_->release();
  expect_crops(take(pinned_batch(4)), 4);
}

TEST_P(CropUploads, ASmallerBatchFits) {
  expect_crops(take(pinned_batch(0)), 0);
  upload_->release();
  const loader::Batch few = noise_batch(3, {{1, 32}, {2, 16}});
  const std::vector<at::Tensor> crops = take(few);
  EXPECT_TRUE(crops[0].cpu().equal(group_tensor(few.groups[0], few.images)));
}

SWAVD_ON_DEVICES(CropUploads, "emulated", "cuda");

}  // namespace
}  // namespace swavd::trainer
