// Activations computed anew in the backward pass: the same step in less memory.
#include <limits>

#include <gtest/gtest.h>

#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"

namespace swavd::trainer {
namespace {

TrainerOptions options_with(std::int32_t groups) {
  TrainerOptions options = small_options();
  options.checkpoint_groups = groups;
  return options;
}

TEST(ActivationCheckpointing, ChangesNoBitOfAFloat32Run) {
  const auto plain = make_small(options_with(0));
  for (const std::int32_t groups : {2, 3, 4}) {
    const auto same = make_small(options_with(0));
    const auto saving = make_small(options_with(groups));
    for (int i = 0; i < 5; ++i) {
      const StepReport expected = must_step(*same, i);
      const StepReport actual = must_step(*saving, i);
      EXPECT_EQ(actual.loss, expected.loss) << groups << " step " << i;
      EXPECT_EQ(actual.grad_norm, expected.grad_norm);
      EXPECT_EQ(actual.trust_ratios->p50, expected.trust_ratios->p50);
      EXPECT_EQ(actual.top_prototypes, expected.top_prototypes);
    }
    // Weights, momenta, BatchNorm's statistics and counts.
    EXPECT_EQ(state_files(*saving), state_files(*same)) << groups << " groups";
    EXPECT_NE(state_files(*saving), state_files(*plain));
  }
}

TEST(ActivationCheckpointing, ASkippedStepChangesNothingEither) {
  const auto trainer = make_small(options_with(3));
  must_step(*trainer, 0);
  const auto before = state_files(*trainer);
  loader::Batch batch = small_batch(1);
  batch.groups[0].data.get()[5] = std::numeric_limits<float>::infinity();
  const auto report = trainer->step(batch, 0.5);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report.value().trained);
  EXPECT_EQ(state_files(*trainer), before);
}

TEST(ActivationCheckpointing, ChangesOnlyRoundingInReducedPrecision) {
  for (const Precision precision :
       {Precision::kBfloat16, Precision::kFloat16}) {
    TrainerOptions options = options_with(0);
    options.precision = precision;
    const auto plain = make_small(options);
    options.checkpoint_groups = 4;
    const auto saving = make_small(options);
    const StepReport expected = must_step(*plain, 0);
    const StepReport actual = must_step(*saving, 0);
    EXPECT_EQ(actual.loss, expected.loss);
    // A weight's gradients of two passes are summed in float32 here, before
    // they are cast back there.
    EXPECT_NEAR(actual.grad_norm / expected.grad_norm, 1, 0.01);
    EXPECT_TRUE(must_step(*saving, 1).trained);
  }
}

/// Memory at the peak of a step of the preset `tiny`: RegNetY-200MF, 64 images.
double peak_of_tiny(std::int32_t groups) {
  TrainerOptions options;
  options.checkpoint_groups = groups;
  const auto trainer = make_small(options);
  const auto report = trainer->step(noise_batch(64, {{2, 48}, {4, 24}}), 0.1);
  SWAVD_CHECK(report.ok() && report.value().trained);
  return static_cast<double>(report.value().peak_bytes);
}

// ops/docs/precision.md states what it is.
TEST(ActivationCheckpointing, LowersThePeakOfMemory) {
  const double all = peak_of_tiny(0);
  EXPECT_LT(peak_of_tiny(2), 0.67 * all);
  EXPECT_LT(peak_of_tiny(4), 0.52 * all);
}

}  // namespace
}  // namespace swavd::trainer
