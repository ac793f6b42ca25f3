#include "trainer/torch/crop_tensors.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/trainer/torch/small_trainer.h"

namespace swavd::trainer {
namespace {

std::vector<at::Tensor> groups_of(const loader::Batch& batch) {
  std::vector<at::Tensor> groups;
  for (const loader::CropGroup& group : batch.groups) {
    groups.push_back(group_tensor(group, batch.images));
  }
  return groups;
}

TEST(CropTensors, BorrowTheGroupsMemoryAsChannelsLastImages) {
  const loader::Batch batch = small_batch(0);
  const loader::CropGroup& group = batch.groups[0];
  const at::Tensor crops = group_tensor(group, batch.images);
  EXPECT_EQ(crops.const_data_ptr(), group.data.get());
  EXPECT_EQ(crops.sizes().vec(), (std::vector<std::int64_t>{12, 3, 32, 32}));
  EXPECT_TRUE(crops.is_contiguous(at::MemoryFormat::ChannelsLast));
  // Row 5, channel 2, pixel (y 3, x 4).
  EXPECT_EQ(
      crops[5][2][3][4].item<float>(),
      group.data.get()[((5 * 32 + 3) * 32 + 4) * 3 + 2]);
}

TEST(CropTensors, NeighbouringGroupsOfOneSizeShareAPass) {
  loader::Batch batch = small_batch(0);
  batch.groups.push_back(batch.groups[1]);
  const std::vector<at::Tensor> passes = resolution_passes(groups_of(batch));
  ASSERT_EQ(passes.size(), 2U);
  EXPECT_EQ(passes[0].size(0), 12);
  EXPECT_EQ(passes[1].size(0), 24);
  EXPECT_TRUE(passes[1].narrow(0, 12, 12).equal(
      group_tensor(batch.groups[1], batch.images)));
}

TEST(CropTensors, APassForEachCropBorrowsTheSameMemory) {
  const loader::Batch batch = small_batch(0);
  const std::vector<at::Tensor> passes =
      crop_passes(groups_of(batch), batch.images);
  ASSERT_EQ(passes.size(), 4U);
  EXPECT_EQ(passes[0].const_data_ptr(), batch.groups[0].data.get());
  EXPECT_TRUE(passes[1].equal(
      group_tensor(batch.groups[0], batch.images).narrow(0, 6, 6)));
  EXPECT_EQ(passes[3].sizes().vec(), (std::vector<std::int64_t>{6, 3, 16, 16}));
  EXPECT_TRUE(passes[3].is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(CropTensors, ABatchThatCannotBeTrainedOnIsRefused) {
  const auto refusal = [](auto break_it) {
    loader::Batch batch = small_batch(0);
    break_it(batch);
    const Status status = check_training_batch(batch, 2);
    return status.ok() ? std::string() : status.error().message;
  };
  EXPECT_EQ(refusal([](loader::Batch&) {}), "");
  EXPECT_EQ(
      refusal([](loader::Batch& b) { b.images = 1; }),
      "training batch: 1 images, needs 2");
  EXPECT_EQ(
      refusal([](loader::Batch& b) { b.groups[1].data = nullptr; }),
      "training batch: a group of 2 crops of 16 pixels without data");
  EXPECT_EQ(
      refusal([](loader::Batch& b) {
        b.groups.resize(1);
        b.groups[0].crops = 1;
      }),
      "training batch: 1 crops an image, needs 2 and at least "
      "swav.assign_crops (2)");
}

}  // namespace
}  // namespace swavd::trainer
