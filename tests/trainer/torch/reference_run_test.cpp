// Compares three steps and the features after them with a run of plain PyTorch
// in float64 (tests/golden/trainer/make_golden.py).
#include <cmath>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ops/base/files.h"
#include "state/safetensors.h"
#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"

namespace swavd::trainer {
namespace {

ByteVector golden_file(const std::string& name) {
  Result<ByteVector> bytes =
      read_file(SWAVD_TEST_SOURCE_DIR "/tests/golden/trainer/" + name);
  EXPECT_TRUE(bytes.ok()) << name;
  return bytes.ok() ? std::move(bytes).value() : ByteVector{};
}

/// A trainer that holds the reference's initial weights.
std::unique_ptr<Trainer> reference_start() {
  std::unique_ptr<Trainer> trainer = make_small(small_options());
  MemorySnapshot snapshot(trainer->freeze());
  for (const char* name : {"model.safetensors", "head.safetensors"}) {
    snapshot.set_file(name, golden_file(std::string("initial/") + name));
  }
  const Status restored = trainer->restore(snapshot);
  EXPECT_TRUE(restored.ok()) << (restored.ok() ? "" : restored.error().message);
  return trainer;
}

double value_at(const state::TensorView& tensor, std::size_t index) {
  if (tensor.dtype == state::DType::kI64) {
    return static_cast<double>(load_u64_le(tensor.data.data() + 8 * index));
  }
  float value = 0;
  std::memcpy(&value, tensor.data.data() + 4 * index, sizeof value);
  return value;
}

/// Distance of two tensors, relative to the length of the expected one.
double relative_distance(
    const state::TensorView& actual,
    const state::TensorView& expected) {
  double distance = 0;
  double length = 0;
  const std::size_t count = expected.data.size() / size_of(expected.dtype);
  for (std::size_t i = 0; i < count; ++i) {
    const double value = value_at(expected, i);
    distance += std::pow(value_at(actual, i) - value, 2);
    length += value * value;
  }
  return std::sqrt(distance) / (std::sqrt(length) + 1e-6);
}

void expect_file_near(
    const MemorySnapshot& snapshot,
    const std::string& name,
    double tolerance) {
  const ByteVector golden = golden_file("after/" + name);
  const auto expected = state::parse_safetensors(golden);
  const auto actual = state::parse_safetensors(snapshot.files().at(name));
  ASSERT_TRUE(expected.ok() && actual.ok());
  ASSERT_EQ(actual.value().tensors.size(), expected.value().tensors.size());
  for (const state::TensorView& tensor : expected.value().tensors) {
    const state::TensorView* ours = actual.value().find(tensor.name);
    ASSERT_NE(ours, nullptr) << tensor.name;
    ASSERT_EQ(ours->shape, tensor.shape) << tensor.name;
    EXPECT_LE(relative_distance(*ours, tensor), tolerance)
        << name << " " << tensor.name;
  }
}

nlohmann::json expected_run() {
  const ByteVector bytes = golden_file("expected.json");
  return nlohmann::json::parse(as_text(bytes));
}

TEST(ReferenceRun, LossGradientsWeightsAndMomentaAgreeWithPyTorch) {
  const nlohmann::json expected = expected_run();
  const std::unique_ptr<Trainer> trainer = reference_start();
  for (std::size_t step = 0; step < expected["steps"].size(); ++step) {
    const StepReport report = must_step(
        *trainer,
        static_cast<int>(step),
        expected["rates"][step].get<double>());
    const double loss = expected["steps"][step]["loss"];
    const double grad_norm = expected["steps"][step]["grad_norm"];
    EXPECT_NEAR(report.loss / loss, 1.0, 1e-4) << "step " << step;
    EXPECT_NEAR(report.grad_norm / grad_norm, 1.0, 1e-4) << "step " << step;
  }
  const MemorySnapshot after(trainer->freeze());
  expect_file_near(after, "model.safetensors", 1e-4);
  expect_file_near(after, "head.safetensors", 1e-4);
  // A bias ahead of a BatchNorm has no gradient but rounding, of which its
  // momentum is made; plain PyTorch in float32 is off by 4e-4, too.
  expect_file_near(after, "state.safetensors", 1e-3);
}

TEST(ReferenceRun, FeaturesAgreeWithHuggingFacesRegNet) {
  const nlohmann::json expected = expected_run()["features"];
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  MemorySnapshot snapshot(trainer->freeze());
  snapshot.set_file(
      "model.safetensors", golden_file("after/model.safetensors"));
  ASSERT_TRUE(trainer->restore_model(snapshot, Weights::kPublished).ok());
  const Result<Features> features = trainer->embed(evaluation_batch());
  ASSERT_TRUE(features.ok());
  ASSERT_EQ(features.value().rows, static_cast<std::int64_t>(expected.size()));
  ASSERT_EQ(
      features.value().dim, static_cast<std::int64_t>(expected[0].size()));
  std::size_t index = 0;
  for (const auto& row : expected) {
    for (const auto& value : row) {
      EXPECT_NEAR(features.value().values[index], value.get<double>(), 1e-5);
      ++index;
    }
  }
}

}  // namespace
}  // namespace swavd::trainer
