#include <cmath>
#include <memory>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/eval/labelled_batch.h"
#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"
#include "trainer/evaluation.h"
#include "trainer/probe.h"

namespace swavd::trainer {
namespace {

using testing::HasSubstr;

ProbeOptions probe_options() {
  ProbeOptions options;
  options.classes = 3;
  options.image_size = 32;
  options.seed = 5;
  options.sgd.weight_decay = 5e-4;
  options.sgd.nesterov = true;
  options.sgd.decay_norms = false;
  return options;
}

std::unique_ptr<ProbeTrainer> make_probes(
    const ProbeOptions& options = probe_options()) {
  MemorySnapshot snapshot(make_small(small_options())->freeze());
  snapshot.remove_file("head.safetensors");
  snapshot.remove_file("state.safetensors");
  auto probes = make_probe_trainer(small_options(), snapshot, options);
  SWAVD_CHECK(probes.ok());
  return std::move(probes).value();
}

double must(const Result<double>& loss) {
  EXPECT_TRUE(loss.ok()) << (loss.ok() ? "" : loss.error().message);
  return loss.ok() ? loss.value() : 0;
}

/// Percent, of each head.
std::vector<double> top1(Classifier& probes, const LabelledBatch& test) {
  const auto predictions = probes.predict(test.batch);
  EXPECT_TRUE(predictions.ok());
  std::vector<double> shares;
  for (const auto& answers : predictions.value()) {
    shares.push_back(accuracy(answers, test.labels).value().top1);
  }
  return shares;
}

TEST(ProbeTrainers, ProbeTheLastStagesAndThePooledFeatures) {
  const auto probes = make_probes();
  std::vector<std::string> names;
  std::vector<std::int64_t> features;
  for (const HeadInfo& head : probes->heads()) {
    names.push_back(head.name);
    features.push_back(head.features);
  }
  // Stages of 16 and 32 channels with maps of 4x4 and 2x2.
  EXPECT_THAT(
      names, testing::ElementsAre("res4", "res5", "res5avg", "res5avg-linear"));
  EXPECT_THAT(features, testing::ElementsAre(256, 128, 32, 32));
}

TEST(ProbeTrainers, EveryProbeLearnsWhatIsSeparable) {
  const auto probes = make_probes();
  for (std::uint64_t step = 0; step < 30; ++step) {
    const LabelledBatch train = coloured_batch(24, step);
    must(probes->step(train.batch, train.labels, {0, 0.1}));
  }
  EXPECT_THAT(top1(*probes, coloured_batch(60, 1000)), testing::Each(100.0));
}

TEST(ProbeTrainers, NoProbeLearnsFromLabelsThatSayNothing) {
  const auto probes = make_probes();
  for (std::uint64_t step = 0; step < 30; ++step) {
    const LabelledBatch train = mislabelled_batch(24, step);
    must(probes->step(train.batch, train.labels, {0, 0.01}));
  }
  // Five standard errors around a third.
  const double error = 100 * std::sqrt(2.0 / 9.0 / 240);
  for (const double share : top1(*probes, mislabelled_batch(240, 1000))) {
    EXPECT_NEAR(share, 100.0 / 3.0, 5 * error);
  }
}

TEST(ProbeTrainers, RepeatTheSameResultToTheBit) {
  const auto first = make_probes();
  const auto second = make_probes();
  for (std::uint64_t step = 0; step < 5; ++step) {
    const LabelledBatch train = coloured_batch(12, step);
    EXPECT_EQ(
        must(first->step(train.batch, train.labels, {0, 0.1})),
        must(second->step(train.batch, train.labels, {0, 0.1})));
  }
  EXPECT_NE(
      must(first->step(
          coloured_batch(12, 9).batch, coloured_batch(12, 9).labels, {0, 0})),
      0);
}

// Equal for many steps only if the trunk neither learns nor moves its running
// statistics.
TEST(ProbeTrainers, StepsOnRememberedImagesAreThoseOnTheImages) {
  const auto direct = make_probes();
  const auto cached = make_probes();
  for (const std::uint64_t seed : {1U, 2U}) {
    const LabelledBatch train = coloured_batch(12, seed);
    ASSERT_TRUE(cached->remember(train.batch, train.labels).ok());
  }
  ASSERT_EQ(cached->remembered(), 24);
  std::vector<std::int64_t> second(12);
  std::iota(second.begin(), second.end(), 12);
  const LabelledBatch train = coloured_batch(12, 2);
  for (int step = 0; step < 10; ++step) {
    EXPECT_NEAR(
        must(cached->step_remembered(second, {0, 0.1})),
        must(direct->step(train.batch, train.labels, {0, 0.1})),
        1e-5);
  }
}

TEST(ProbeTrainers, SayWhatARememberedImageTakes) {
  // A label and 256 + 128 + 32 floats: the two pooled probes share theirs.
  EXPECT_EQ(make_probes()->bytes_per_image(), 4U * (1 + 256 + 128 + 32));
  ProbeOptions options = probe_options();
  options.set = ProbeSet::kPooled;
  EXPECT_EQ(make_probes(options)->bytes_per_image(), 4U * (1 + 32));
}

TEST(ProbeTrainers, RefuseLabelsOutOfRangeAndOtherSizes) {
  const auto probes = make_probes();
  LabelledBatch train = coloured_batch(4, 0);
  train.labels[2] = 3;
  auto loss = probes->step(train.batch, train.labels, {0, 0.1});
  ASSERT_FALSE(loss.ok());
  EXPECT_EQ(loss.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(loss.error().message, HasSubstr("label 3 with 3 classes"));
  train = coloured_batch(4, 0);
  train.labels.pop_back();
  EXPECT_FALSE(probes->step(train.batch, train.labels, {0, 0.1}).ok());
  train = coloured_batch(4, 0);
  train.batch.groups[0].size = 16;
  EXPECT_FALSE(probes->predict(train.batch).ok());
  EXPECT_FALSE(probes->step_remembered({0}, {0, 0.1}).ok());
}

TEST(ProbeTrainers, ARateThatIsTooHighIsToldAndNotTrainedOn) {
  const auto probes = make_probes();
  const LabelledBatch train = mislabelled_batch(12, 0);
  Result<double> loss = 0.0;
  for (int step = 0; step < 200 && loss.ok(); ++step) {
    loss = probes->step(train.batch, train.labels, {0, 1e30});
  }
  ASSERT_FALSE(loss.ok());
  EXPECT_EQ(loss.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(loss.error().message, HasSubstr("learning rate"));
}

}  // namespace
}  // namespace swavd::trainer
