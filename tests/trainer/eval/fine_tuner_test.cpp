#include <memory>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/eval/labelled_batch.h"
#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"
#include "trainer/evaluation.h"
#include "trainer/fine_tune.h"

namespace swavd::trainer {
namespace {

using testing::HasSubstr;

FineTuneOptions tune_options(FineTuneHead head) {
  FineTuneOptions options;
  options.classes = 3;
  options.seed = 5;
  options.head = head;
  return options;
}

Result<std::unique_ptr<Classifier>> tune(
    const TrainerOptions& model,
    FineTuneHead head) {
  MemorySnapshot snapshot(make_small(model)->freeze());
  return make_fine_tuner(model, snapshot, tune_options(head));
}

std::unique_ptr<Classifier> must_tune(
    FineTuneHead head,
    const TrainerOptions& model = small_options()) {
  auto tuner = tune(model, head);
  SWAVD_CHECK(tuner.ok());
  return std::move(tuner).value();
}

double
tune_step(Classifier& tuner, const StepRates& rates, std::uint64_t seed = 0) {
  const LabelledBatch train = coloured_batch(24, seed);
  const auto loss = tuner.step(train.batch, train.labels, rates);
  EXPECT_TRUE(loss.ok()) << (loss.ok() ? "" : loss.error().message);
  return loss.ok() ? loss.value() : 0;
}

void expect_learns(Classifier& tuner) {
  for (std::uint64_t step = 0; step < 60; ++step) {
    tune_step(tuner, {0.05, 0.05}, step);
  }
  const LabelledBatch test = coloured_batch(60, 1000);
  const auto answers = tuner.predict(test.batch);
  ASSERT_TRUE(answers.ok());
  EXPECT_EQ(accuracy(answers.value()[0], test.labels).value().top1, 100);
}

TEST(FineTuners, LearnWhatIsSeparable) {
  const auto tuner = must_tune(FineTuneHead::kPooled);
  ASSERT_EQ(tuner->heads().size(), 1U);
  EXPECT_EQ(tuner->heads()[0].features, 32);
  expect_learns(*tuner);
}

TEST(FineTuners, LearnThroughTheFirstProjection) {
  const auto tuner = must_tune(FineTuneHead::kProjection);
  EXPECT_EQ(tuner->heads()[0].features, 16);
  expect_learns(*tuner);
}

TEST(FineTuners, GiveAProjectionWithoutBatchNormANewOne) {
  TrainerOptions model = small_options();
  model.head.batch_norm = false;
  const auto tuner = must_tune(FineTuneHead::kProjection, model);
  expect_learns(*tuner);
}

// The same batch each time, with its own statistics: its loss changes only
// when a parameter does.
TEST(FineTuners, TrunkAndHeadLearnAtTheirOwnRates) {
  const auto still = must_tune(FineTuneHead::kProjection);
  const double begin = tune_step(*still, {0, 0});
  EXPECT_EQ(tune_step(*still, {0, 0}), begin);
  const auto head = must_tune(FineTuneHead::kProjection);
  tune_step(*head, {0, 0.1});
  EXPECT_NE(tune_step(*head, {0, 0}), begin);
  const auto trunk = must_tune(FineTuneHead::kProjection);
  tune_step(*trunk, {0.1, 0});
  EXPECT_NE(tune_step(*trunk, {0, 0}), begin);
}

TEST(FineTuners, RepeatTheSameResultToTheBit) {
  const auto first = must_tune(FineTuneHead::kPooled);
  const auto second = must_tune(FineTuneHead::kPooled);
  for (std::uint64_t step = 0; step < 4; ++step) {
    EXPECT_EQ(
        tune_step(*first, {0.02, 0.1}, step),
        tune_step(*second, {0.02, 0.1}, step));
  }
}

TEST(FineTuners, NeedTheHeadForAProjection) {
  MemorySnapshot snapshot(make_small(small_options())->freeze());
  snapshot.remove_file("head.safetensors");
  const auto projected = make_fine_tuner(
      small_options(), snapshot, tune_options(FineTuneHead::kProjection));
  ASSERT_FALSE(projected.ok());
  EXPECT_EQ(projected.error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(
      make_fine_tuner(
          small_options(), snapshot, tune_options(FineTuneHead::kPooled))
          .ok());
}

TEST(FineTuners, AHeadWithoutHiddenLayerHasNoProjectionToKeep) {
  TrainerOptions model = small_options();
  model.head.hidden.clear();
  const auto projected = tune(model, FineTuneHead::kProjection);
  ASSERT_FALSE(projected.ok());
  EXPECT_EQ(projected.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(projected.error().message, HasSubstr("no hidden layer"));
  EXPECT_TRUE(tune(model, FineTuneHead::kPooled).ok());
}

TEST(FineTuners, RefuseASnapshotOfAnotherModel) {
  MemorySnapshot snapshot(make_small(small_options())->freeze());
  TrainerOptions wider = small_options();
  std::get<RegNetOptions>(wider.trunk).w0 = 16;
  const auto tuner =
      make_fine_tuner(wider, snapshot, tune_options(FineTuneHead::kPooled));
  ASSERT_FALSE(tuner.ok());
  EXPECT_EQ(tuner.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(tuner.error().message, HasSubstr("another model"));
}

}  // namespace
}  // namespace swavd::trainer
