// The whole trainer on a device, beside one on the CPU.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/safetensors.h"
#include "tests/trainer/device/all_devices.h"
#include "tests/trainer/torch/small_trainer.h"
#include "trainer/torch/torch_trainer.h"

namespace swavd::trainer {
namespace {

using Files = std::map<std::string, ByteVector>;

class DeviceTrainers : public AllDevices {
 protected:
  std::unique_ptr<Trainer> make(const TrainerOptions& options) {
    auto trainer = make_torch_trainer_on(options, link());
    SWAVD_CHECK(trainer.ok());
    return std::move(trainer).value();
  }

  /// How far a step's figures may be from the CPU's, relative to one.
  [[nodiscard]] double tolerance() const {
    return link()->on_host() ? 2e-5 : 2e-3;
  }

  /// The greatest difference between two states' numbers, relative to one.
  static double worst_difference(const Files& a, const Files& b) {
    double worst = 0;
    for (const auto& [name, bytes] : a) {
      const auto left = state::parse_safetensors(bytes);
      if (!left.ok()) {
        EXPECT_EQ(bytes, b.at(name));  // a text
        continue;
      }
      const auto right = state::parse_safetensors(b.at(name));
      SWAVD_CHECK(right.ok());
      for (const state::TensorView& view : left.value().tensors) {
        const state::TensorView* other = right.value().find(view.name);
        SWAVD_CHECK(other != nullptr && view.shape == other->shape);
        if (view.dtype != state::DType::kF32) {
          EXPECT_TRUE(std::ranges::equal(view.data, other->data)) << view.name;
          continue;
        }
        const auto* x = reinterpret_cast<const float*>(view.data.data());
        const auto* y = reinterpret_cast<const float*>(other->data.data());
        for (std::size_t i = 0; i < view.data.size() / sizeof(float); ++i) {
          const double off = std::abs(x[i] - y[i]);
          worst = std::max(worst, off / (1 + std::abs(y[i])));
        }
      }
    }
    return worst;
  }

  /// Some steps on both; figures and states stay together.
  void expect_like_the_cpu(const TrainerOptions& options, double rate = 0.05) {
    const auto here = make(options);
    const auto there = make_small(options);
    EXPECT_EQ(state_files(*here), state_files(*there));
    for (int step = 0; step < 4; ++step) {
      const StepReport a = must_step(*here, step, rate);
      const StepReport b = must_step(*there, step, rate);
      EXPECT_TRUE(a.trained);
      EXPECT_NEAR(a.loss, b.loss, tolerance() * (1 + b.loss));
      EXPECT_NEAR(a.grad_norm, b.grad_norm, 10 * tolerance() * b.grad_norm);
      EXPECT_NEAR(a.feature_std, b.feature_std, tolerance());
      EXPECT_EQ(a.embeddings.size(), b.embeddings.size());
      EXPECT_EQ(a.trust_ratios.has_value(), b.trust_ratios.has_value());
      if (a.trust_ratios && b.trust_ratios) {
        EXPECT_NEAR(
            a.trust_ratios->p50,
            b.trust_ratios->p50,
            10 * tolerance() * b.trust_ratios->p50);
      }
    }
    // Single numbers of a gradient, which plain momenta hold, feel the last
    // bits of the codes more than its length does.
    const double state_tolerance = link()->on_host() ? 4e-3 : 2e-2;
    EXPECT_LE(
        worst_difference(state_files(*here), state_files(*there)),
        state_tolerance);
  }
};

TEST_P(DeviceTrainers, LarcTrainsLikeOnTheCpu) {
  expect_like_the_cpu(small_options());
}

TEST_P(DeviceTrainers, SgdTrainsLikeOnTheCpu) {
  TrainerOptions options = small_options();
  options.optimizer.kind = OptimizerKind::kSgd;
  // Steps as long as the others' would make much of the last bits.
  expect_like_the_cpu(options, 1e-4);
}

TEST_P(DeviceTrainers, LarsTrainsLikeOnTheCpu) {
  TrainerOptions options = small_options();
  options.optimizer.kind = OptimizerKind::kLars;
  expect_like_the_cpu(options);
}

TEST_P(DeviceTrainers, QueueAverageAndSetsOfPrototypesAreThereToo) {
  TrainerOptions options = small_options();
  options.ema = 0.9;
  options.head.prototypes = {12, 7};
  options.swav.queue_images = 12;
  options.swav.hard_assignment_steps = 1;
  expect_like_the_cpu(options);
}

TEST_P(DeviceTrainers, SoAreAPassPerCropAndCheckpoints) {
  TrainerOptions options = small_options();
  options.swav.pass_per_crop = true;
  options.checkpoint_groups = 2;
  expect_like_the_cpu(options);
}

TEST_P(DeviceTrainers, ReducedPrecisionLearns) {
  for (const Precision precision :
       {Precision::kBfloat16, Precision::kFloat16}) {
    TrainerOptions options = small_options();
    options.precision = precision;
    const auto trainer = make(options);
    const double first = must_step(*trainer, 0, 0.05).loss;
    double last = first;
    for (int i = 0; i < 5; ++i) {
      last = must_step(*trainer, 0, 0.05).loss;
    }
    EXPECT_LT(last, first);
  }
}

TEST_P(DeviceTrainers, SnapshotsMoveBetweenDevices) {
  const auto here = make(small_options());
  must_step(*here, 0);
  const Files files = state_files(*here);
  const auto there = make_small(small_options());
  MemorySnapshot snapshot(here->freeze());
  ASSERT_TRUE(there->restore(snapshot).ok());
  EXPECT_EQ(state_files(*there), files);
  must_step(*there, 1);
  MemorySnapshot back(there->freeze());
  ASSERT_TRUE(here->restore(back).ok());
  EXPECT_EQ(state_files(*here), state_files(*there));
}

TEST_P(DeviceTrainers, AFrozenStateIsThatOfItsStepHoweverLateItIsRead) {
  const auto trainer = make(small_options());
  must_step(*trainer, 0);
  const Files before = state_files(*trainer);
  const state::FrozenState frozen = trainer->freeze();
  must_step(*trainer, 1);
  const state::FrozenState later = trainer->freeze();
  must_step(*trainer, 2);
  EXPECT_EQ(MemorySnapshot(frozen).files(), before);
  EXPECT_NE(MemorySnapshot(later).files(), before);
}

TEST_P(DeviceTrainers, AStateThatNobodyReadDoesNoHarm) {
  const auto trainer = make(small_options());
  for (int step = 0; step < 4; ++step) {
    must_step(*trainer, step);
    static_cast<void>(trainer->freeze());
  }
  const auto twin = make(small_options());
  for (int step = 0; step < 4; ++step) {
    must_step(*twin, step);
  }
  EXPECT_LE(
      worst_difference(state_files(*trainer), state_files(*twin)),
      link()->on_host() ? 0.0 : tolerance());
}

TEST_P(DeviceTrainers, AStepThatIsNotFiniteChangesNothing) {
  const auto trainer = make(small_options());
  must_step(*trainer, 0);
  const Files before = state_files(*trainer);
  loader::Batch batch = small_batch(1);
  batch.groups[0].data.get()[7] = std::numeric_limits<float>::quiet_NaN();
  const auto report = trainer->step(batch, 0.5);
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(report.value().trained);
  EXPECT_EQ(state_files(*trainer), before);
}

TEST_P(DeviceTrainers, FeaturesAndChoicesAreThoseOfTheCpu) {
  const auto here = make(small_options());
  const auto there = make_small(small_options());
  const auto a = here->embed(evaluation_batch());
  const auto b = there->embed(evaluation_batch());
  ASSERT_TRUE(a.ok() && b.ok());
  ASSERT_EQ(a.value().values.size(), b.value().values.size());
  for (std::size_t i = 0; i < a.value().values.size(); ++i) {
    EXPECT_NEAR(a.value().values[i], b.value().values[i], tolerance());
  }
  const auto choices = here->assign(evaluation_batch());
  ASSERT_TRUE(choices.ok());
  EXPECT_EQ(choices.value(), there->assign(evaluation_batch()).value());
}

TEST_P(DeviceTrainers, ASteadyStreamAllocatesNothing) {
  const auto trainer = make(small_options());
  EXPECT_TRUE(trainer->looks_ahead());
  const loader::Batch model = small_batch(0);
  std::vector<loader::BufferPool> pools;
  std::vector<std::size_t> floats;
  for (const loader::CropGroup& group : model.groups) {
    floats.push_back(
        static_cast<std::size_t>(group.crops * model.images) *
        static_cast<std::size_t>(group.size * group.size * 3));
    pools.emplace_back(trainer->allocator(), floats.back());
  }
  const auto loaded = [&](int step) {
    loader::Batch batch = small_batch(step);
    for (std::size_t i = 0; i < pools.size(); ++i) {
      const std::shared_ptr<float> buffer = pools[i].take();
      std::copy_n(batch.groups[i].data.get(), floats[i], buffer.get());
      batch.groups[i].data = buffer;
    }
    return batch;
  };
  loader::Batch batch = loaded(0);
  std::uint64_t pinned = 0;
  std::uint64_t device = 0;
  for (int step = 0; step < 12; ++step) {
    loader::Batch next = loaded(step + 1);
    trainer->expect(next);
    const auto report = trainer->step(batch, 0.05);
    ASSERT_TRUE(report.ok());
    EXPECT_TRUE(report.value().trained);
    EXPECT_GT(report.value().peak_bytes, 0U);
    const state::FrozenState frozen = trainer->freeze();
    ASSERT_TRUE(frozen.wait().ok());
    batch = std::move(next);
    if (step == 5) {
      pinned = emulation_counts().pinned_allocations;
      device = link()->memory().allocations;
    }
  }
  EXPECT_EQ(emulation_counts().pinned_allocations, pinned);
  EXPECT_EQ(link()->memory().allocations, device);
}

TEST_P(DeviceTrainers, StepsUseTheKernelsOfThePlugin) {
  if (!link()->on_host()) {
    GTEST_SKIP() << "only the emulated device counts";
  }
  const auto trainer = make(small_options());
  const EmulationCounts before = emulation_counts();
  must_step(*trainer, 0);
  EXPECT_EQ(emulation_counts().sinkhorns - before.sinkhorns, 2U);
  EXPECT_EQ(emulation_counts().updates - before.updates, 1U);
  // The crops of two groups, late; the figures, at once.
  EXPECT_EQ(emulation_counts().late_copies - before.late_copies, 2U);
  EXPECT_EQ(emulation_counts().copies - before.copies, 3U);
}

SWAVD_ON_DEVICES(DeviceTrainers, "emulated", "cuda");

}  // namespace
}  // namespace swavd::trainer
