// The arithmetic of a step's memory beside what steps have in use.
#include "trainer/step_memory.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/trainer/torch/small_trainer.h"

namespace swavd::trainer {
namespace {

struct Case {
  const char* name;
  TrainerOptions options;
  std::int32_t images;
  std::vector<GroupShape> crops;
};

/// The preset `tiny`: RegNetY-200MF.
Case tiny(Precision precision, std::int32_t groups) {
  TrainerOptions options;
  options.precision = precision;
  options.checkpoint_groups = groups;
  return {"tiny", options, 64, {{2, 48}, {4, 24}}};
}

/// RegNetY-400MF on crops of 224 and 96 pixels with 3000 prototypes.
Case of_400mf(std::int32_t groups) {
  TrainerOptions options;
  options.trunk = RegNetOptions{16, 48, 27.89, 2.09, 8};
  options.head.prototypes = {3000};
  options.checkpoint_groups = groups;
  return {"400mf", options, 4, {{2, 224}, {4, 96}}};
}

TEST(StepMemory, IsWithinAFifthOfWhatAStepHasInUse) {
  for (const Case& example :
       {tiny(Precision::kFloat32, 0),
        tiny(Precision::kFloat32, 2),
        tiny(Precision::kFloat32, 4),
        tiny(Precision::kBfloat16, 0),
        of_400mf(0),
        of_400mf(4)}) {
    std::vector<CropShape> shapes;
    for (const GroupShape& group : example.crops) {
      shapes.push_back({group.crops, group.size});
    }
    const auto expected = step_memory(example.options, shapes, example.images);
    ASSERT_TRUE(expected.ok());
    const auto trainer = make_small(example.options);
    const auto report =
        trainer->step(noise_batch(example.images, example.crops), 0.1);
    ASSERT_TRUE(report.ok() && report.value().trained);
    const auto measured = static_cast<double>(report.value().peak_bytes);
    const auto computed = static_cast<double>(expected.value().total());
    EXPECT_NEAR(computed / measured, 1, 0.2)
        << example.name << ", " << example.options.checkpoint_groups
        << " groups: " << computed << " computed, " << measured << " measured";
  }
}

}  // namespace
}  // namespace swavd::trainer
