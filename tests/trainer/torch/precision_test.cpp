// Steps in reduced precision, and the loss scale of fp16.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/safetensors.h"
#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"

namespace swavd::trainer {
namespace {

TrainerOptions small_in(Precision precision) {
  TrainerOptions options = small_options();
  options.precision = precision;
  return options;
}

/// The bytes of a tensor inside a safetensors file.
std::uint8_t* bytes_in(ByteVector& file, const std::string& name) {
  const auto view = state::parse_safetensors(file);
  SWAVD_CHECK(view.ok() && view.value().find(name) != nullptr);
  return file.data() + (view.value().find(name)->data.data() - file.data());
}

void set_scale(MemorySnapshot& snapshot, float scale) {
  ByteVector file = snapshot.files().at("state.safetensors");
  std::memcpy(bytes_in(file, "loss_scale.scale"), &scale, sizeof scale);
  snapshot.set_file("state.safetensors", file);
}

std::int64_t good_steps(Trainer& trainer) {
  auto files = state_files(trainer);
  return static_cast<std::int64_t>(load_u64_le(
      bytes_in(files.at("state.safetensors"), "loss_scale.good_steps")));
}

TEST(Float16, AnOverflowIsTriedAgainAtHalfTheScaleAndLeavesNoTrace) {
  const auto trainer = make_small(small_in(Precision::kFloat16));
  must_step(*trainer, 0);
  MemorySnapshot snapshot(trainer->freeze());
  constexpr float kTooMuch = 0x1p40F;
  set_scale(snapshot, kTooMuch);
  ASSERT_TRUE(trainer->restore(snapshot).ok());
  const StepReport report = must_step(*trainer, 1);
  EXPECT_TRUE(report.trained);
  EXPECT_EQ(report.step, 2U);
  EXPECT_GE(report.overflows, 1);
  EXPECT_EQ(report.loss_scale, std::ldexp(1.0, 40 - report.overflows));
  EXPECT_EQ(good_steps(*trainer), 1);

  // As if it had begun at that scale.
  const auto other = make_small(small_in(Precision::kFloat16));
  set_scale(snapshot, static_cast<float>(report.loss_scale));
  ByteVector state = snapshot.files().at("state.safetensors");
  std::memset(bytes_in(state, "loss_scale.good_steps"), 0, 8);
  snapshot.set_file("state.safetensors", state);
  ASSERT_TRUE(other->restore(snapshot).ok());
  const StepReport direct = must_step(*other, 1);
  EXPECT_EQ(direct.overflows, 0);
  EXPECT_EQ(direct.loss, report.loss);
  EXPECT_EQ(direct.grad_norm, report.grad_norm);
  EXPECT_EQ(state_files(*other), state_files(*trainer));
}

TEST(Float16, AGradientNotFiniteAtAnyScaleSkipsTheStepAndKeepsTheScale) {
  const auto trainer = make_small(small_in(Precision::kFloat16));
  must_step(*trainer, 0);
  // All embeddings point the same way and are as short as float16 allows, so
  // the loss is finite and its gradient, divided by that length, is not.
  MemorySnapshot snapshot(trainer->freeze());
  ByteVector head = snapshot.files().at("head.safetensors");
  const std::size_t weights = std::size_t{16} * 8 * sizeof(float);
  std::memset(bytes_in(head, "projection_head.6.weight"), 0, weights);
  const float bias[8] = {6e-8F};
  std::memcpy(bytes_in(head, "projection_head.6.bias"), bias, sizeof bias);
  snapshot.set_file("head.safetensors", head);
  ASSERT_TRUE(trainer->restore(snapshot).ok());
  const auto before = state_files(*trainer);
  const StepReport report = must_step(*trainer, 1);
  EXPECT_FALSE(report.trained);
  EXPECT_TRUE(std::isfinite(report.loss));
  EXPECT_EQ(report.skip_reason, "nonfinite_grad");
  EXPECT_EQ(report.overflows, 16);  // down to scale 1
  EXPECT_EQ(report.loss_scale, 65536);
  EXPECT_EQ(state_files(*trainer), before);
}

TEST(Float16, ARestoredTrainerContinuesToTheByteScaleIncluded) {
  const auto original = make_small(small_in(Precision::kFloat16));
  must_step(*original, 0);
  MemorySnapshot smaller(original->freeze());
  set_scale(smaller, 1024);
  ASSERT_TRUE(original->restore(smaller).ok());
  must_step(*original, 1);
  MemorySnapshot snapshot(original->freeze());
  const auto restored = make_small(small_in(Precision::kFloat16));
  ASSERT_TRUE(restored->restore(snapshot).ok());
  EXPECT_EQ(state_files(*restored), snapshot.files());
  EXPECT_EQ(must_step(*restored, 2).loss_scale, 1024);
  must_step(*original, 2);
  EXPECT_EQ(good_steps(*restored), 3);
  EXPECT_EQ(state_files(*restored), state_files(*original));
}

TEST(Float16, NoOtherPrecisionHasAScaleInItsSnapshots) {
  for (const Precision precision :
       {Precision::kFloat32, Precision::kBfloat16}) {
    const auto trainer = make_small(small_in(precision));
    const StepReport report = must_step(*trainer, 0);
    EXPECT_EQ(report.loss_scale, 1);
    auto files = state_files(*trainer);
    const auto view = state::parse_safetensors(files.at("state.safetensors"));
    EXPECT_EQ(view.value().find("loss_scale.scale"), nullptr);
  }
}

/// Losses of `steps` steps, each with images of its own whose colours tell
/// them apart.
std::vector<double> losses(Precision precision, int steps) {
  TrainerOptions options = small_in(precision);
  options.optimizer.trust = 0.005;
  const auto trainer = make_small(options);
  std::vector<double> found;
  for (int i = 0; i < steps; ++i) {
    const StepReport report = must_step(*trainer, i);
    EXPECT_TRUE(report.trained);
    found.push_back(report.loss);
  }
  return found;
}

double mean_of_last(const std::vector<double>& values, std::ptrdiff_t count) {
  double sum = 0;
  for (auto value = values.end() - count; value != values.end(); ++value) {
    sum += *value;
  }
  return sum / static_cast<double>(count);
}

TEST(ReducedPrecision, TracksTheLossesOfFloat32OverTwoHundredSteps) {
  constexpr int kSteps = 200;
  const std::vector<double> exact = losses(Precision::kFloat32, kSteps);
  // There is something to learn, and to lose.
  const double learnt = exact.front() - mean_of_last(exact, 20);
  std::printf("fp32 %f -> %f\n", exact.front(), mean_of_last(exact, 20));
  EXPECT_GT(learnt, 0.2 * exact.front());
  for (const Precision precision :
       {Precision::kBfloat16, Precision::kFloat16}) {
    const std::vector<double> rough = losses(precision, kSteps);
    double worst = 0;
    double mean = 0;
    for (int i = 0; i < kSteps; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double off = std::abs(rough[at] / exact[at] - 1);
      worst = std::max(worst, off);
      mean += off / kSteps;
    }
    const double end = mean_of_last(rough, 20) / mean_of_last(exact, 20) - 1;
    std::printf("worst %f mean %f end %f\n", worst, mean, end);
    EXPECT_LE(worst, 0.25);
    EXPECT_LE(mean, 0.05);
    EXPECT_LE(std::abs(end), 0.05);
  }
}

}  // namespace
}  // namespace swavd::trainer
