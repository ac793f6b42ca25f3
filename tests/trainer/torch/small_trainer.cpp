#include "tests/trainer/torch/small_trainer.h"

#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::trainer {

namespace {

constexpr std::int32_t kImages = 6;

/// make_golden.py's `hashed`: MurmurHash3's finaliser.
float hashed(std::uint32_t index, std::uint32_t salt) {
  std::uint32_t x = index + salt * 1000003U;
  x ^= x >> 16U;
  x *= 0x85EBCA6BU;
  x ^= x >> 13U;
  x *= 0xC2B2AE35U;
  x ^= x >> 16U;
  return static_cast<float>(x >> 16U) / 32768.0F - 1.0F;
}

loader::CropGroup golden_group(
    std::uint32_t step,
    std::uint32_t number,
    std::int32_t crops,
    std::int32_t size) {
  const std::size_t pixels = static_cast<std::size_t>(size * size);
  const std::size_t rows = static_cast<std::size_t>(crops * kImages);
  auto values = std::make_shared<std::vector<float>>(rows * pixels * 3);
  for (std::size_t i = 0; i < values->size(); ++i) {
    const std::size_t image = i / (pixels * 3) % kImages;
    const std::size_t channel = i % 3;
    (*values)[i] =
        hashed(static_cast<std::uint32_t>(i), 10 * step + number) +
        hashed(static_cast<std::uint32_t>(image * 3 + channel), 100 + step);
  }
  loader::CropGroup group;
  group.crops = crops;
  group.size = size;
  group.data = std::shared_ptr<float>(values, values->data());
  return group;
}

}  // namespace

TrainerOptions small_options() {
  TrainerOptions options;
  options.seed = 1;
  options.trunk = RegNetOptions{4, 8, 8.0, 2.0, 8, 0.25, 32};
  options.head = {{16, 16}, 8, true, {12}};
  options.swav = {0.1, 0.05, 3, 2, 1};
  options.optimizer = {0.9, 1e-3, 0.01};
  options.threads = 1;
  return options;
}

std::unique_ptr<Trainer> make_small(const TrainerOptions& options) {
  Result<std::unique_ptr<Trainer>> trainer = make_torch_trainer(options);
  SWAVD_CHECK(trainer.ok());
  return std::move(trainer).value();
}

loader::Batch small_batch(int step) {
  loader::Batch batch;
  batch.images = kImages;
  const auto salt = static_cast<std::uint32_t>(step);
  batch.groups = {golden_group(salt, 0, 2, 32), golden_group(salt, 1, 2, 16)};
  return batch;
}

loader::Batch evaluation_batch() {
  loader::Batch batch = small_batch(7);
  batch.groups.resize(1);
  return batch;
}

loader::Batch noise_batch(
    std::int32_t images,
    const std::vector<GroupShape>& groups) {
  loader::Batch batch;
  batch.images = images;
  for (const GroupShape& shape : groups) {
    const std::size_t count =
        static_cast<std::size_t>(shape.crops * images * 3) *
        static_cast<std::size_t>(shape.size * shape.size);
    auto values = std::make_shared<std::vector<float>>(count);
    for (std::size_t i = 0; i < count; ++i) {
      (*values)[i] = hashed(
          static_cast<std::uint32_t>(i),
          static_cast<std::uint32_t>(shape.size));
    }
    loader::CropGroup group;
    group.crops = shape.crops;
    group.size = shape.size;
    group.data = std::shared_ptr<float>(values, values->data());
    batch.groups.push_back(std::move(group));
  }
  return batch;
}

std::map<std::string, ByteVector> state_files(Trainer& trainer) {
  return MemorySnapshot(trainer.freeze()).files();
}

StepReport must_step(Trainer& trainer, int step, double learning_rate) {
  const Result<StepReport> report =
      trainer.step(small_batch(step), learning_rate);
  EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().message);
  return report.ok() ? report.value() : StepReport{};
}

}  // namespace swavd::trainer
