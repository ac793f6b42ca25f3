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

TEST(ActivationCheckpointing, WorksInReducedPrecision) {
  for (const Precision precision :
       {Precision::kBfloat16, Precision::kFloat16}) {
    TrainerOptions options = options_with(0);
    options.precision = precision;
    const auto plain = make_small(options);
    options.checkpoint_groups = 4;
    const auto saving = make_small(options);
    for (int i = 0; i < 3; ++i) {
      const StepReport expected = must_step(*plain, i);
      const StepReport actual = must_step(*saving, i);
      // Gradients of cast weights are summed after, not before they are cast
      // back.
      EXPECT_NEAR(actual.loss / expected.loss, 1, 0.01);
      EXPECT_NEAR(actual.grad_norm / expected.grad_norm, 1, 0.05);
    }
  }
}

/// RegNetY-200MF; `images` of two crops of 64 pixels and four of 32.
StepReport step_of_200mf(std::int32_t groups) {
  TrainerOptions options;
  options.checkpoint_groups = groups;
  const auto trainer = make_small(options);
  const auto report = trainer->step(noise_batch(16, {{2, 64}, {4, 32}}), 0.1);
  SWAVD_CHECK(report.ok() && report.value().trained);
  return report.value();
}

TEST(ActivationCheckpointing, LowersThePeakOfMemory) {
  const auto peak = [](std::int32_t groups) {
    const double bytes = static_cast<double>(step_of_200mf(groups).peak_bytes);
    std::printf("%d groups: %.1f MB\n", groups, bytes / 1e6);
    return bytes;
  };
  const double all = peak(0);
  EXPECT_LT(peak(2), all);
  EXPECT_LT(peak(4), 0.6 * all);
  peak(8);
}

}  // namespace
}  // namespace swavd::trainer
