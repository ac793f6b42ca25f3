// The queue in a trainer: when it is used, what a snapshot keeps of it.
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/safetensors.h"
#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"
#include "trainer/trainer.h"

namespace swavd::trainer {
namespace {

constexpr std::int64_t kBatch = 6;  // of small_batch

TrainerOptions with_queue(std::int64_t batches, std::uint64_t start_steps = 0) {
  TrainerOptions options = small_options();
  options.swav.queue_images = batches * kBatch;
  options.swav.queue_start_steps = start_steps;
  return options;
}

std::map<std::string, ByteVector> files_with_queue(Trainer& trainer) {
  return MemorySnapshot(trainer.freeze()).files();
}

std::vector<double> losses(const TrainerOptions& options, int steps) {
  const std::unique_ptr<Trainer> trainer = make_small(options);
  std::vector<double> found;
  for (int step = 0; step < steps; ++step) {
    found.push_back(must_step(*trainer, step).loss);
  }
  return found;
}

/// The first step whose loss is not the one without a queue.
std::size_t first_use(const TrainerOptions& options) {
  constexpr int kSteps = 6;
  const std::vector<double> without = losses(small_options(), kSteps);
  const std::vector<double> with = losses(options, kSteps);
  std::size_t step = 0;
  while (step < with.size() && with[step] == without[step]) {
    ++step;
  }
  return step;
}

TEST(SwavQueue, IsUsedOnlyOnceFullOfRealEmbeddings) {
  EXPECT_EQ(first_use(with_queue(1)), 1U);
  EXPECT_EQ(first_use(with_queue(3)), 3U);
  EXPECT_EQ(first_use(with_queue(3, /*start_steps=*/2)), 5U);
}

TEST(SwavQueue, LiesInTheStateAndNowhereElse) {
  const std::unique_ptr<Trainer> trainer = make_small(with_queue(2));
  must_step(*trainer, 0);
  auto files = files_with_queue(*trainer);
  const auto state = state::parse_safetensors(files.at("state.safetensors"));
  ASSERT_TRUE(state.ok());
  const state::TensorView* queue = state.value().find("queue.embeddings");
  const state::TensorView* images = state.value().find("queue.images");
  ASSERT_TRUE(queue != nullptr && images != nullptr);
  EXPECT_EQ(queue->shape, (std::vector<std::int64_t>{2, 12, 8}));
  EXPECT_EQ(images->dtype, state::DType::kI64);
  EXPECT_EQ(load_u64_le(images->data.data()), 6U);
  std::vector<float> values(queue->data.size() / sizeof(float));
  std::memcpy(values.data(), queue->data.data(), queue->data.size());
  const auto length = [&](std::size_t row) {
    double squares = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      squares += values[row * 8 + i] * values[row * 8 + i];
    }
    return squares;
  };
  EXPECT_NEAR(length(0), 1.0, 1e-5);   // crop 0, the first image
  EXPECT_NEAR(length(17), 1.0, 1e-5);  // crop 1, the sixth
  EXPECT_EQ(length(6), 0.0);           // crop 0, a place still empty
  const auto plain = files_with_queue(*make_small(small_options()));
  EXPECT_EQ(
      state::parse_safetensors(plain.at("state.safetensors"))
          .value()
          .find("queue.images"),
      nullptr);
}

class RestoredQueue : public testing::TestWithParam<int> {};

TEST_P(RestoredQueue, ContinuesToTheByte) {
  const int steps = GetParam();
  const std::unique_ptr<Trainer> original = make_small(with_queue(2));
  for (int step = 0; step < steps; ++step) {
    must_step(*original, step);
  }
  MemorySnapshot snapshot(original->freeze());
  TrainerOptions other_seed = with_queue(2);
  other_seed.seed = 99;
  const std::unique_ptr<Trainer> restored = make_small(other_seed);
  must_step(*restored, 7);
  ASSERT_TRUE(restored->restore(snapshot).ok());
  EXPECT_EQ(files_with_queue(*restored), snapshot.files());
  for (int step = steps; step < steps + 3; ++step) {
    EXPECT_EQ(must_step(*restored, step).loss, must_step(*original, step).loss);
  }
  EXPECT_EQ(files_with_queue(*restored), files_with_queue(*original));
}

INSTANTIATE_TEST_SUITE_P(
    EmptyHalfFullFullAndRoundTheEnd,
    RestoredQueue,
    testing::Values(0, 1, 2, 3));

TEST(SwavQueue, ASkippedStepLeavesItUnchanged) {
  const std::unique_ptr<Trainer> trainer = make_small(with_queue(2));
  must_step(*trainer, 0);
  const auto before = files_with_queue(*trainer);
  loader::Batch batch = small_batch(1);
  batch.groups[1].data.get()[11] = std::numeric_limits<float>::quiet_NaN();
  const Result<StepReport> report = trainer->step(batch, 0.5);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report.value().skip_reason, "nonfinite_loss");
  EXPECT_EQ(files_with_queue(*trainer), before);
}

TEST(SwavQueue, ABatchThatDoesNotFitIsRefused) {
  TrainerOptions options = small_options();
  options.swav.queue_images = kBatch - 1;
  const auto report = make_small(options)->step(small_batch(0), 0.5);
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      report.error().message,
      "a batch of 6 images does not fit swav.queue_images (5)");
}

TEST(SwavQueue, ASnapshotWithoutOneDoesNotFitATrainerWithOne) {
  const std::unique_ptr<Trainer> without = make_small(small_options());
  MemorySnapshot snapshot(without->freeze());
  const Status status = make_small(with_queue(2))->restore(snapshot);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(
      status.error().message.find("queue.embeddings is missing"),
      std::string::npos)
      << status.error().message;
}

}  // namespace
}  // namespace swavd::trainer
