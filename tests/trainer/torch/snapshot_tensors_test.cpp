#include "trainer/torch/snapshot_tensors.h"

#include <optional>

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/trainer/memory_snapshot.h"

namespace swavd::trainer {
namespace {

std::vector<SnapshotTensor> two_tensors() {
  return {
      {"a.safetensors",
       "conv",
       at::arange(2 * 3 * 2 * 2, at::kFloat)
           .view({2, 3, 2, 2})
           .contiguous(at::MemoryFormat::ChannelsLast)},
      {"b.safetensors", "count", at::zeros({}, at::kLong).add_(7)}};
}

state::FrozenState frozen_of(Staging& staging) {
  Staging::Copy copy = staging.copy();
  state::FrozenState frozen;
  frozen.tensor_files = std::move(copy.files);
  frozen.owner = std::move(copy.owner);
  return frozen;
}

TEST(Staging, CopiesInCOrderByFile) {
  Staging staging(two_tensors());
  const Staging::Copy copy = staging.copy();
  ASSERT_EQ(copy.files.size(), 2U);
  const state::TensorView& conv = copy.files[0].tensors.at(0);
  EXPECT_EQ(conv.shape, (std::vector<std::int64_t>{2, 3, 2, 2}));
  const auto* values = reinterpret_cast<const float*>(conv.data.data());
  for (int i = 0; i < 24; ++i) {
    EXPECT_EQ(values[i], static_cast<float>(i));
  }
  EXPECT_EQ(copy.files[1].tensors.at(0).dtype, state::DType::kI64);
  EXPECT_EQ(load_u64_le(copy.files[1].tensors.at(0).data.data()), 7U);
}

TEST(Staging, MemoryIsReusedOnceLetGoOf) {
  Staging staging(two_tensors());
  const auto address = [](const Staging::Copy& copy) {
    return copy.files[0].tensors[0].data.data();
  };
  std::optional<Staging::Copy> first = staging.copy();
  const Staging::Copy second = staging.copy();
  const std::uint8_t* const memory = address(*first);
  EXPECT_NE(memory, address(second));
  first.reset();
  EXPECT_EQ(address(staging.copy()), memory);
}

TEST(StagingDeathTest, AThirdCopyAtATimeIsABug) {
  Staging staging(two_tensors());
  const Staging::Copy first = staging.copy();
  const Staging::Copy second = staging.copy();
  EXPECT_DEATH(static_cast<void>(staging.copy()), "bug");
}

TEST(Staging, ACopyOutlivesTheTrainer) {
  std::optional<Staging> staging(two_tensors());
  const Staging::Copy copy = staging->copy();
  staging.reset();
  EXPECT_EQ(load_u64_le(copy.files[1].tensors.at(0).data.data()), 7U);
}

TEST(RestoreTensors, CopiesIntoTheExistingTensors) {
  Staging staging(two_tensors());
  MemorySnapshot snapshot(frozen_of(staging));
  std::vector<SnapshotTensor> live = two_tensors();
  live[0].tensor.zero_();
  live[1].tensor.zero_();
  const void* const memory = live[0].tensor.const_data_ptr();
  ASSERT_TRUE(restore_tensors(live, snapshot).ok());
  EXPECT_TRUE(live[0].tensor.equal(two_tensors()[0].tensor));
  EXPECT_EQ(live[1].tensor.item<std::int64_t>(), 7);
  EXPECT_EQ(live[0].tensor.const_data_ptr(), memory);
  EXPECT_TRUE(live[0].tensor.is_contiguous(at::MemoryFormat::ChannelsLast));
}

/// What restoring into `live` says, and that it then changed nothing.
std::string refusal(std::vector<SnapshotTensor> live) {
  Staging staging(two_tensors());
  MemorySnapshot snapshot(frozen_of(staging));
  for (const SnapshotTensor& tensor : live) {
    at::Tensor values = tensor.tensor;
    values.fill_(-1);
  }
  const Status status = restore_tensors(live, snapshot);
  EXPECT_FALSE(status.ok());
  for (const SnapshotTensor& tensor : live) {
    EXPECT_TRUE(tensor.tensor.eq(-1).all().item<bool>()) << tensor.name;
  }
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  return status.error().message;
}

TEST(RestoreTensors, NamesWhatDoesNotFitAndTouchesNothing) {
  std::vector<SnapshotTensor> live = two_tensors();
  live[1].tensor = at::zeros({2}, at::kLong);
  EXPECT_EQ(
      refusal(live),
      "b.safetensors: tensor count has shape [] instead of [2]: the snapshot "
      "is of another model");
  live = two_tensors();
  live[1].tensor = at::zeros({}, at::kFloat);
  EXPECT_EQ(
      refusal(live),
      "b.safetensors: tensor count has type I64 instead of F32: the snapshot "
      "is of another model");
  live = two_tensors();
  live.push_back({"b.safetensors", "more", at::zeros({}, at::kLong)});
  EXPECT_EQ(
      refusal(live),
      "b.safetensors: tensor more is missing: the snapshot is of another "
      "model");
  live = two_tensors();
  live[1].name = "number";
  EXPECT_EQ(
      refusal(live),
      "b.safetensors: tensor count is not part of this model: the snapshot is "
      "of another model");
}

TEST(RestoreTensors, ADamagedFileIsCorruption) {
  Staging staging(two_tensors());
  MemorySnapshot snapshot(frozen_of(staging));
  ByteVector bytes = snapshot.files().at("b.safetensors");
  bytes.pop_back();
  snapshot.set_file("b.safetensors", bytes);
  const Status status = restore_tensors(two_tensors(), snapshot);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace swavd::trainer
