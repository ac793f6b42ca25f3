// What the options of [swav] change in a step.
#include <algorithm>
#include <cmath>
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

/// The float32 values of a tensor in a file of the trainer's state.
std::vector<float>
values_of(Trainer& trainer, const std::string& file, const std::string& name) {
  const MemorySnapshot snapshot(trainer.freeze());
  const auto view = state::parse_safetensors(snapshot.files().at(file));
  SWAVD_CHECK(view.ok());
  const state::TensorView* tensor = view.value().find(name);
  SWAVD_CHECK(tensor != nullptr);
  const auto* first = reinterpret_cast<const float*>(tensor->data.data());
  return {first, first + tensor->data.size() / sizeof(float)};
}

TrainerOptions with_sets(std::vector<std::int64_t> sets) {
  TrainerOptions options = small_options();
  options.head.prototypes = std::move(sets);
  return options;
}

TEST(PrototypeSets, TwoEqualSetsLearnWhatOneDoes) {
  const std::unique_ptr<Trainer> one = make_small(with_sets({12}));
  const std::unique_ptr<Trainer> two = make_small(with_sets({12, 12}));
  MemorySnapshot single(one->freeze());
  MemorySnapshot both(two->freeze());
  // Both sets begin as the single one.
  const auto head =
      state::parse_safetensors(single.files().at("head.safetensors"));
  ASSERT_TRUE(head.ok());
  state::TensorFile file{"head.safetensors", head.value().tensors, {}};
  const auto prototypes = std::find_if(
      file.tensors.begin(), file.tensors.end(), [](const auto& tensor) {
        return tensor.name == "prototypes.weight";
      });
  ASSERT_NE(prototypes, file.tensors.end());
  state::TensorView copy = *prototypes;
  prototypes->name = "prototypes.0.weight";
  copy.name = "prototypes.1.weight";
  file.tensors.push_back(copy);
  ByteVector bytes;
  ASSERT_TRUE(state::write_safetensors(file, [&](Bytes piece) {
                bytes.insert(bytes.end(), piece.begin(), piece.end());
                return ok_status();
              }).ok());
  both.set_file("head.safetensors", bytes);
  ASSERT_TRUE(two->restore(both).ok());

  const StepReport expected = must_step(*one, 0);
  const StepReport actual = must_step(*two, 0);
  EXPECT_NEAR(actual.loss, expected.loss, 1e-6);
  EXPECT_EQ(actual.top_prototypes, expected.top_prototypes);
  must_step(*one, 1);
  must_step(*two, 1);
  const auto of_one = values_of(*one, "head.safetensors", "prototypes.weight");
  for (const char* name : {"prototypes.0.weight", "prototypes.1.weight"}) {
    const auto of_two = values_of(*two, "head.safetensors", name);
    ASSERT_EQ(of_two.size(), of_one.size());
    for (std::size_t i = 0; i < of_one.size(); ++i) {
      // LARC makes a step of half the gradient nearly as long.
      EXPECT_NEAR(of_two[i], of_one[i], 1e-3) << name << " " << i;
    }
  }
}

TEST(PrototypeSets, TheFirstIsTheOneThatIsLookedAt) {
  const std::unique_ptr<Trainer> trainer = make_small(with_sets({3, 40}));
  EXPECT_EQ(trainer->prototypes(), 3);
  EXPECT_NEAR(trainer->ln_k(), (std::log(3.0) + std::log(40.0)) / 2, 1e-12);
  EXPECT_NEAR(trainer->freeze().health.ln_k, trainer->ln_k(), 1e-12);
  const StepReport report = must_step(*trainer, 0);
  EXPECT_LT(
      *std::max_element(
          report.top_prototypes.begin(), report.top_prototypes.end()),
      3);
}

TEST(PrototypeSets, AnImageChoosesInEveryOne) {
  const std::unique_ptr<Trainer> trainer = make_small(with_sets({3, 40}));
  const auto choices = trainer->assign(evaluation_batch());
  ASSERT_TRUE(choices.ok());
  ASSERT_EQ(choices.value().size(), 2U);
  const auto greatest = [&](std::size_t set) {
    const std::vector<std::int32_t>& of = choices.value()[set];
    return *std::max_element(of.begin(), of.end());
  };
  EXPECT_EQ(choices.value()[0].size(), choices.value()[1].size());
  EXPECT_LT(greatest(0), 3);
  EXPECT_GE(greatest(1), 3);  // 12 rows among 40
  EXPECT_LT(greatest(1), 40);
}

TEST(PrototypeSets, AllAreFrozenAndThenAllLearn) {
  const std::unique_ptr<Trainer> trainer = make_small(with_sets({5, 6}));
  const auto moved = [&](const char* name) {
    const auto momenta = values_of(*trainer, "state.safetensors", name);
    return std::any_of(momenta.begin(), momenta.end(), [](float value) {
      return value != 0.0F;
    });
  };
  must_step(*trainer, 0);  // freeze_prototypes_steps is 1
  EXPECT_FALSE(moved("momentum.prototypes.0.weight"));
  EXPECT_FALSE(moved("momentum.prototypes.1.weight"));
  must_step(*trainer, 1);
  EXPECT_TRUE(moved("momentum.prototypes.0.weight"));
  EXPECT_TRUE(moved("momentum.prototypes.1.weight"));
}

std::vector<double> losses(const TrainerOptions& options) {
  const std::unique_ptr<Trainer> trainer = make_small(options);
  std::vector<double> found;
  for (int step = 0; step < 3; ++step) {
    found.push_back(must_step(*trainer, step).loss);
  }
  return found;
}

TEST(HardAssignment, LastsForTheStepsItIsGivenOrAlways) {
  TrainerOptions one_step = small_options();
  one_step.swav.hard_assignment_steps = 1;
  TrainerOptions three_steps = small_options();
  three_steps.swav.hard_assignment_steps = 3;
  TrainerOptions always = small_options();
  always.swav.hard_assignment_steps = SwavOptions::kAlways;
  const auto soft = losses(small_options());
  const auto first_hard = losses(one_step);
  const auto hard = losses(always);
  EXPECT_NE(first_hard[0], soft[0]);
  EXPECT_EQ(first_hard[0], hard[0]);
  EXPECT_NE(first_hard[1], hard[1]);
  EXPECT_EQ(losses(three_steps), hard);
}

TEST(AssignCrops, DecideWhichCropsGiveCodes) {
  TrainerOptions one = small_options();
  one.swav.assign_crops = 1;
  TrainerOptions three = small_options();
  three.swav.assign_crops = 3;
  const double two_crops = losses(small_options())[0];
  EXPECT_NE(losses(one)[0], two_crops);
  EXPECT_NE(losses(three)[0], two_crops);
}

TEST(PassPerCrop, TakesBatchStatisticsOfEachCropByItself) {
  TrainerOptions options = small_options();
  options.swav.pass_per_crop = true;
  const std::unique_ptr<Trainer> by_crop = make_small(options);
  const std::unique_ptr<Trainer> by_size = make_small(small_options());
  const auto batches = [](Trainer& trainer) {
    const MemorySnapshot snapshot(trainer.freeze());
    const auto view =
        state::parse_safetensors(snapshot.files().at("model.safetensors"));
    return load_u64_le(
        view.value()
            .find("embedder.embedder.normalization.num_batches_tracked")
            ->data.data());
  };
  // Where both crops of a size are the same pictures, their statistics are
  // those of one, and so is all that follows but rounding.
  loader::Batch twins = small_batch(0);
  for (const loader::CropGroup& group : twins.groups) {
    const auto half = static_cast<std::size_t>(group.size * group.size) * 3 *
                      static_cast<std::size_t>(twins.images);
    std::copy_n(group.data.get(), half, group.data.get() + half);
  }
  const auto same = by_crop->step(twins, 0.0);
  const auto reference = by_size->step(twins, 0.0);
  ASSERT_TRUE(same.ok() && reference.ok());
  EXPECT_NEAR(same.value().loss, reference.value().loss, 1e-4);
  EXPECT_EQ(batches(*by_crop), 4U);
  EXPECT_EQ(batches(*by_size), 2U);
  EXPECT_GT(
      std::abs(must_step(*by_crop, 1).loss - must_step(*by_size, 1).loss),
      1e-4);
}

}  // namespace
}  // namespace swavd::trainer
