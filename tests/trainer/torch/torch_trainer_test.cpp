#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "state/safetensors.h"
#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"
#include "trainer/trainer.h"

namespace swavd::trainer {
namespace {

/// All files of the trainer's state, to the byte.
std::map<std::string, ByteVector> frozen_files(Trainer& trainer) {
  return MemorySnapshot(trainer.freeze()).files();
}

/// Mutable float32 values of a tensor inside a safetensors file.
float* values_in(ByteVector& file, const std::string& name) {
  const auto view = state::parse_safetensors(file);
  SWAVD_CHECK(view.ok() && view.value().find(name) != nullptr);
  const Bytes data = view.value().find(name)->data;
  return reinterpret_cast<float*>(file.data() + (data.data() - file.data()));
}

TEST(TorchTrainer, ReportsWhatAStepDid) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  EXPECT_EQ(trainer->steps(), 0U);
  EXPECT_EQ(trainer->prototypes(), 12);
  const StepReport report = must_step(*trainer, 0);
  EXPECT_TRUE(report.trained);
  EXPECT_EQ(report.step, 1U);
  EXPECT_EQ(trainer->steps(), 1U);
  EXPECT_GT(report.loss, 0.0);
  EXPECT_GT(report.grad_norm, 0.0);
  EXPECT_GT(report.feature_std, 0.0);
  EXPECT_LT(report.feature_std, 1.0);
  EXPECT_GT(report.phases.forward, 0.0);
  EXPECT_GT(report.phases.backward, 0.0);
  ASSERT_EQ(report.top_prototypes.size(), 6U);
  for (const std::int32_t prototype : report.top_prototypes) {
    EXPECT_GE(prototype, 0);
    EXPECT_LT(prototype, 12);
  }
}

TEST(TorchTrainer, ReportsEmbeddingsOfLengthOne) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  const StepReport report = must_step(*trainer, 0);
  ASSERT_EQ(report.embeddings.size(), 6U * 8U);
  for (std::size_t row = 0; row < 6; ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      squares += std::pow(report.embeddings[row * 8 + i], 2);
    }
    EXPECT_NEAR(squares, 1.0, 1e-5);
  }
}

TEST(TorchTrainer, LearnsABatchItSeesAgainAndAgain) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  const double first = must_step(*trainer, 0).loss;
  double last = first;
  for (int i = 0; i < 40; ++i) {
    last = must_step(*trainer, 0).loss;
  }
  EXPECT_LT(last, 0.8 * first);
}

TEST(TorchTrainer, ARestoredTrainerContinuesToTheByte) {
  const std::unique_ptr<Trainer> original = make_small(small_options());
  must_step(*original, 0);
  must_step(*original, 1);
  MemorySnapshot snapshot(original->freeze());
  TrainerOptions other_seed = small_options();
  other_seed.seed = 99;
  const std::unique_ptr<Trainer> restored = make_small(other_seed);
  must_step(*restored, 5);
  ASSERT_NE(frozen_files(*restored), snapshot.files());
  ASSERT_TRUE(restored->restore(snapshot).ok());
  EXPECT_EQ(restored->steps(), 2U);
  EXPECT_EQ(frozen_files(*restored), snapshot.files());
  const StepReport expected = must_step(*original, 2);
  const StepReport actual = must_step(*restored, 2);
  EXPECT_EQ(actual.loss, expected.loss);
  EXPECT_EQ(actual.grad_norm, expected.grad_norm);
  EXPECT_EQ(actual.step, 3U);
  EXPECT_EQ(frozen_files(*restored), frozen_files(*original));
}

TEST(TorchTrainer, RandomStateFollowsTheSnapshot) {
  const std::unique_ptr<Trainer> original = make_small(small_options());
  MemorySnapshot snapshot(original->freeze());
  TrainerOptions other_seed = small_options();
  other_seed.seed = 99;
  const std::unique_ptr<Trainer> restored = make_small(other_seed);
  ASSERT_TRUE(restored->restore(snapshot).ok());
  EXPECT_EQ(restored->freeze().random_json, original->freeze().random_json);
}

TEST(TorchTrainer, TheSeedAloneDecidesTheInitialWeights) {
  TrainerOptions two_threads = small_options();
  two_threads.threads = 2;
  TrainerOptions other_seed = small_options();
  other_seed.seed = 2;
  const std::unique_ptr<Trainer> first = make_small(small_options());
  const std::unique_ptr<Trainer> second = make_small(two_threads);
  const std::unique_ptr<Trainer> third = make_small(other_seed);
  EXPECT_EQ(frozen_files(*first), frozen_files(*second));
  EXPECT_NE(frozen_files(*first), frozen_files(*third));
}

TEST(TorchTrainer, ANonFiniteLossChangesNothing) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  must_step(*trainer, 0);
  const auto before = frozen_files(*trainer);
  loader::Batch batch = small_batch(1);
  batch.groups[1].data.get()[11] = std::numeric_limits<float>::quiet_NaN();
  const Result<StepReport> report = trainer->step(batch, 0.5);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report.value().trained);
  EXPECT_EQ(report.value().skip_reason, "nonfinite_loss");
  EXPECT_EQ(report.value().step, 1U);
  EXPECT_EQ(trainer->steps(), 1U);
  EXPECT_EQ(frozen_files(*trainer), before);
  EXPECT_TRUE(must_step(*trainer, 1).trained);
}

TEST(TorchTrainer, ANonFiniteGradientChangesNothing) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  must_step(*trainer, 0);
  // Embeddings of length zero keep the loss at ln K, but their gradient is
  // divided by 1e-12, and multiplied by huge hidden values in the last layer.
  MemorySnapshot snapshot(trainer->freeze());
  ByteVector head = snapshot.files().at("head.safetensors");
  std::fill_n(values_in(head, "projection_head.6.weight"), 16 * 8, 0.0F);
  std::fill_n(values_in(head, "projection_head.6.bias"), 8, 0.0F);
  std::fill_n(values_in(head, "projection_head.4.weight"), 16, 1e27F);
  snapshot.set_file("head.safetensors", head);
  ASSERT_TRUE(trainer->restore(snapshot).ok());
  const auto before = frozen_files(*trainer);
  const Result<StepReport> report = trainer->step(small_batch(1), 0.5);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(std::isfinite(report.value().loss));
  EXPECT_EQ(report.value().skip_reason, "nonfinite_grad");
  EXPECT_FALSE(report.value().trained);
  EXPECT_EQ(frozen_files(*trainer), before);
}

TEST(TorchTrainer, FrozenPrototypesAreNormalisedAndNothingElse) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  const auto values = [&](const char* file, const char* name) {
    auto files = frozen_files(*trainer);
    const float* first = values_in(files.at(file), name);
    return std::vector<float>(first, first + 12 * 8);
  };
  const auto prototypes = [&] {
    return values("head.safetensors", "prototypes.weight");
  };
  const auto momentum = [&] {
    return values("state.safetensors", "momentum.prototypes.weight");
  };
  std::vector<float> expected = prototypes();
  for (std::size_t row = 0; row < 12; ++row) {
    double squares = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      squares += std::pow(expected[row * 8 + i], 2);
    }
    for (std::size_t i = 0; i < 8; ++i) {
      expected[row * 8 + i] /= static_cast<float>(std::sqrt(squares));
    }
  }
  must_step(*trainer, 0);  // freeze_prototypes_steps is 1
  const std::vector<float> frozen = prototypes();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(frozen[i], expected[i], 1e-6);
  }
  EXPECT_EQ(momentum(), std::vector<float>(12 * 8, 0.0F));
  must_step(*trainer, 0);
  EXPECT_NE(momentum(), std::vector<float>(12 * 8, 0.0F));
}

TEST(TorchTrainer, CountsABatchForEachResolutionInTheTrunkAndOneInTheHead) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  must_step(*trainer, 0);
  must_step(*trainer, 1);
  const auto files = frozen_files(*trainer);
  const auto count = [&](const char* file, const char* name) {
    const auto view = state::parse_safetensors(files.at(file));
    return load_u64_le(view.value().find(name)->data.data());
  };
  EXPECT_EQ(
      count(
          "model.safetensors",
          "embedder.embedder.normalization.num_batches_tracked"),
      4U);
  EXPECT_EQ(
      count("head.safetensors", "projection_head.1.num_batches_tracked"), 2U);
}

TEST(TorchTrainer, ASnapshotHoldsTheConsumersFilesAndTheState) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  const auto files = frozen_files(*trainer);
  for (const char* name :
       {"model.safetensors",
        "head.safetensors",
        "state.safetensors",
        "config.json",
        "preprocessor_config.json"}) {
    EXPECT_TRUE(files.contains(name)) << name;
  }
  EXPECT_EQ(files.size(), 5U);
  EXPECT_NEAR(trainer->freeze().health.ln_k, std::log(12.0), 1e-12);
}

TEST(TorchTrainer, ASnapshotOfAnotherModelIsRefusedByName) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  MemorySnapshot snapshot(trainer->freeze());
  TrainerOptions other = small_options();
  other.head.prototypes = {13};
  const Status status = make_small(other)->restore(snapshot);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(
      status.error().message.find(
          "head.safetensors: tensor prototypes.weight has shape [12, 8] "
          "instead of [13, 8]"),
      std::string::npos)
      << status.error().message;
}

TEST(TorchTrainer, EmbedsFromAPulledSnapshotWithoutState) {
  const std::unique_ptr<Trainer> original = make_small(small_options());
  must_step(*original, 0);
  MemorySnapshot snapshot(original->freeze());
  snapshot.remove_file("state.safetensors");
  snapshot.remove_file("head.safetensors");
  TrainerOptions other_seed = small_options();
  other_seed.seed = 99;
  const std::unique_ptr<Trainer> reader = make_small(other_seed);
  EXPECT_FALSE(reader->restore(snapshot).ok());
  ASSERT_TRUE(reader->restore_model(snapshot, Weights::kPublished).ok());
  const auto expected = original->embed(evaluation_batch());
  const auto actual = reader->embed(evaluation_batch());
  ASSERT_TRUE(expected.ok() && actual.ok());
  EXPECT_EQ(actual.value().values, expected.value().values);
  EXPECT_EQ(actual.value().rows, 12);
  EXPECT_EQ(actual.value().dim, 32);
}

TEST(TorchTrainer, AssignsEachImageToItsNearestPrototype) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  for (int i = 0; i < 20; ++i) {
    must_step(*trainer, i % 3);
  }
  const auto before = frozen_files(*trainer);
  const auto assigned = trainer->assign(evaluation_batch());
  ASSERT_TRUE(assigned.ok());
  ASSERT_EQ(assigned.value().size(), 1U);  // set of prototypes
  const std::vector<std::int32_t>& chosen = assigned.value().front();
  ASSERT_EQ(chosen.size(), 12U);
  for (const std::int32_t prototype : chosen) {
    EXPECT_GE(prototype, 0);
    EXPECT_LT(prototype, 12);
  }
  // Images do not depend on their neighbours in evaluation mode.
  loader::Batch first_crop = evaluation_batch();
  first_crop.groups[0].crops = 1;
  const auto alone = trainer->assign(first_crop);
  ASSERT_TRUE(alone.ok());
  EXPECT_EQ(
      alone.value().front(),
      std::vector<std::int32_t>(chosen.begin(), chosen.begin() + 6));
  EXPECT_EQ(frozen_files(*trainer), before);
  EXPECT_FALSE(trainer->assign({}).ok());
}

TEST(TorchTrainer, EmbeddingChangesNothing) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  const auto before = frozen_files(*trainer);
  ASSERT_TRUE(trainer->embed(evaluation_batch()).ok());
  EXPECT_EQ(frozen_files(*trainer), before);
}

TEST(TorchTrainer, BFloat16StaysNearFloat32) {
  TrainerOptions bf16 = small_options();
  bf16.precision = Precision::kBfloat16;
  const std::unique_ptr<Trainer> exact = make_small(small_options());
  const std::unique_ptr<Trainer> rough = make_small(bf16);
  const StepReport expected = must_step(*exact, 0);
  const StepReport actual = must_step(*rough, 0);
  EXPECT_NE(actual.loss, expected.loss);
  EXPECT_NEAR(actual.loss / expected.loss, 1.0, 0.05);
  EXPECT_TRUE(rough->embed(evaluation_batch()).ok());
}

TEST(TorchTrainer, RefusesBatchesAndRatesItCannotUse) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  loader::Batch one_image = small_batch(0);
  one_image.images = 1;
  for (const auto& result :
       {trainer->step(one_image, 0.1),
        trainer->step(small_batch(0), -0.1),
        trainer->step(
            small_batch(0), std::numeric_limits<double>::infinity())}) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(trainer->embed({}).ok());
}

TEST(TorchTrainer, RefusesOptionsOutOfRange) {
  TrainerOptions options = small_options();
  options.trunk = RegNetOptions{4, 9};
  const auto trainer = make_torch_trainer(options);
  ASSERT_FALSE(trainer.ok());
  EXPECT_EQ(trainer.error().code, ErrorCode::kInvalidArgument);
}

TEST(TorchTrainer, HandsOutAlignedMemoryForCrops) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  const loader::BufferAllocator allocator = trainer->allocator();
  void* const memory = allocator.allocate(1000);
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0U);
  allocator.release(memory, 1000);
}

}  // namespace
}  // namespace swavd::trainer
