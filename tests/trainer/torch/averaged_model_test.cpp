#include "trainer/torch/averaged_model.h"

#include <cmath>
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

constexpr double kDecay = 0.4;

TrainerOptions averaging_options() {
  TrainerOptions options = small_options();
  options.ema = kDecay;
  return options;
}

/// All float32 tensors of a file; those whose names begin with `prefix`,
/// without it.
using FloatTensors = std::map<std::string, std::vector<float>>;

FloatTensors floats_of(
    const MemorySnapshot& snapshot,
    const std::string& file,
    const std::string& prefix = "") {
  const auto view = state::parse_safetensors(snapshot.files().at(file));
  SWAVD_CHECK(view.ok());
  FloatTensors found;
  for (const state::TensorView& tensor : view.value().tensors) {
    if (tensor.dtype == state::DType::kF32 && tensor.name.starts_with(prefix)) {
      std::vector<float>& values = found[tensor.name.substr(prefix.size())];
      values.resize(tensor.data.size() / sizeof(float));
      std::memcpy(values.data(), tensor.data.data(), tensor.data.size());
    }
  }
  return found;
}

/// Trunk and head together.
FloatTensors published_by(const MemorySnapshot& snapshot) {
  FloatTensors all = floats_of(snapshot, "model.safetensors");
  all.merge(floats_of(snapshot, "head.safetensors"));
  return all;
}

TEST(EmaDecay, IsShortInTheBeginningAndTheGivenOneLater) {
  EXPECT_DOUBLE_EQ(ema_decay(0.999, 1), 2.0 / 11.0);
  EXPECT_DOUBLE_EQ(ema_decay(0.999, 90), 91.0 / 100.0);
  EXPECT_DOUBLE_EQ(ema_decay(0.999, 1'000'000), 0.999);
  EXPECT_DOUBLE_EQ(ema_decay(0.1, 1), 0.1);
}

TEST(AveragedModel, IsPublishedWhileTrainingGoesOnAsWithoutIt) {
  const auto plain = make_small(small_options());
  const auto averaging = make_small(averaging_options());
  std::map<std::string, std::vector<double>> expected;
  for (const auto& [name, values] :
       published_by(MemorySnapshot(plain->freeze()))) {
    expected[name].assign(values.begin(), values.end());
  }
  for (int step = 1; step <= 4; ++step) {
    EXPECT_EQ(must_step(*averaging, step).loss, must_step(*plain, step).loss);
    const double keep = ema_decay(kDecay, static_cast<std::uint64_t>(step));
    for (const auto& [name, values] :
         published_by(MemorySnapshot(plain->freeze()))) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        expected[name][i] += (1 - keep) * (values[i] - expected[name][i]);
      }
    }
  }
  const MemorySnapshot without(plain->freeze());
  const MemorySnapshot with(averaging->freeze());
  const FloatTensors raw = published_by(without);
  const FloatTensors published = published_by(with);
  ASSERT_EQ(published.size(), expected.size());
  double apart = 0;
  for (const auto& [name, values] : published) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double value = expected[name][i];
      EXPECT_NEAR(values[i], value, 1e-6 * (1 + std::abs(value))) << name;
      apart += std::abs(values[i] - raw.at(name)[i]);
    }
    if (HasFailure()) {
      break;
    }
  }
  EXPECT_GT(apart, 0.1);  // or the comparison above says nothing
  EXPECT_EQ(floats_of(with, "state.safetensors", "raw."), raw);
  EXPECT_EQ(
      floats_of(with, "state.safetensors", "momentum."),
      floats_of(without, "state.safetensors", "momentum."));
  EXPECT_TRUE(floats_of(without, "state.safetensors", "raw.").empty());
}

TEST(AveragedModel, CountersArePublishedAsTheyAre) {
  const auto trainer = make_small(averaging_options());
  must_step(*trainer, 0);
  const MemorySnapshot snapshot(trainer->freeze());
  const auto view =
      state::parse_safetensors(snapshot.files().at("head.safetensors"));
  const auto* counter =
      view.value().find("projection_head.1.num_batches_tracked");
  ASSERT_NE(counter, nullptr);
  EXPECT_EQ(load_u64_le(counter->data.data()), 1U);
}

TEST(AveragedModel, ASkippedStepLeavesItAlone) {
  const auto trainer = make_small(averaging_options());
  must_step(*trainer, 0);
  const auto before = MemorySnapshot(trainer->freeze()).files();
  loader::Batch batch = small_batch(1);
  batch.groups[1].data.get()[11] = std::numeric_limits<float>::quiet_NaN();
  const Result<StepReport> report = trainer->step(batch, 0.5);
  ASSERT_TRUE(report.ok());
  ASSERT_FALSE(report.value().trained);
  EXPECT_EQ(MemorySnapshot(trainer->freeze()).files(), before);
}

TEST(AveragedModel, ARestoredTrainerContinuesToTheByte) {
  const auto original = make_small(averaging_options());
  must_step(*original, 0);
  must_step(*original, 1);
  MemorySnapshot snapshot(original->freeze());
  TrainerOptions other_seed = averaging_options();
  other_seed.seed = 99;
  const auto restored = make_small(other_seed);
  must_step(*restored, 5);
  ASSERT_TRUE(restored->restore(snapshot).ok());
  EXPECT_EQ(MemorySnapshot(restored->freeze()).files(), snapshot.files());
  EXPECT_EQ(must_step(*restored, 2).loss, must_step(*original, 2).loss);
  EXPECT_EQ(
      MemorySnapshot(restored->freeze()).files(),
      MemorySnapshot(original->freeze()).files());
}

TEST(AveragedModel, ASnapshotWithoutOneIsRefusedByNameAndTheOtherWayRound) {
  MemorySnapshot without(make_small(small_options())->freeze());
  MemorySnapshot with(make_small(averaging_options())->freeze());
  const Status missing = make_small(averaging_options())->restore(without);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(
      missing.error().message.find(
          "state.safetensors: tensor raw.embedder.embedder.convolution.weight "
          "is missing"),
      std::string::npos)
      << missing.error().message;
  const Status extra = make_small(small_options())->restore(with);
  ASSERT_FALSE(extra.ok());
  EXPECT_EQ(extra.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(
      extra.error().message.find(
          "state.safetensors: tensor raw.embedder.embedder.convolution.weight "
          "is not part of this model"),
      std::string::npos)
      << extra.error().message;
}

std::vector<float> features_of(Trainer& trainer) {
  const auto features = trainer.embed(evaluation_batch());
  EXPECT_TRUE(features.ok());
  return features.ok() ? features.value().values : std::vector<float>{};
}

TEST(AveragedModel, IsWhatFeaturesAreMadeOf) {
  const auto plain = make_small(small_options());
  const auto averaging = make_small(averaging_options());
  for (int step = 0; step < 3; ++step) {
    must_step(*plain, step);
    must_step(*averaging, step);
  }
  MemorySnapshot snapshot(averaging->freeze());
  const auto consumer = make_small(small_options());
  ASSERT_TRUE(consumer->restore_model(snapshot, Weights::kPublished).ok());
  const std::vector<float> published = features_of(*consumer);
  EXPECT_EQ(features_of(*averaging), published);
  EXPECT_NE(features_of(*plain), published);

  const auto reader = make_small(averaging_options());
  ASSERT_TRUE(reader->restore_model(snapshot, Weights::kPublished).ok());
  EXPECT_EQ(features_of(*reader), published);
  ASSERT_TRUE(reader->restore_model(snapshot, Weights::kRaw).ok());
  EXPECT_EQ(features_of(*reader), features_of(*plain));

  // Pulled without the state, a snapshot has the published weights only.
  snapshot.remove_file("state.safetensors");
  EXPECT_TRUE(reader->restore_model(snapshot, Weights::kPublished).ok());
  const Status raw = reader->restore_model(snapshot, Weights::kRaw);
  ASSERT_FALSE(raw.ok());
  EXPECT_NE(raw.error().message.find("state.safetensors"), std::string::npos);
}

TEST(AveragedModel, RawWeightsOfASnapshotWithoutOneAreThePublished) {
  const auto plain = make_small(small_options());
  must_step(*plain, 0);
  MemorySnapshot snapshot(plain->freeze());
  snapshot.remove_file("state.safetensors");
  TrainerOptions other_seed = small_options();
  other_seed.seed = 99;
  const auto reader = make_small(other_seed);
  ASSERT_TRUE(reader->restore_model(snapshot, Weights::kRaw).ok());
  EXPECT_EQ(features_of(*reader), features_of(*plain));
}

TEST(AveragedModel, OnceStoppedTheWeightsThemselvesArePublished) {
  const auto plain = make_small(small_options());
  const auto averaging = make_small(averaging_options());
  must_step(*plain, 0);
  must_step(*averaging, 0);
  averaging->stop_averaging();
  must_step(*plain, 1);
  must_step(*averaging, 1);
  EXPECT_EQ(
      MemorySnapshot(averaging->freeze()).files(),
      MemorySnapshot(plain->freeze()).files());
  EXPECT_EQ(features_of(*averaging), features_of(*plain));
}

}  // namespace
}  // namespace swavd::trainer
