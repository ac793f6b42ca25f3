#include <gtest/gtest.h>

#include "tests/trainer/memory_snapshot.h"
#include "trainer/evaluation.h"
#include "trainer/fine_tune.h"
#include "trainer/probe.h"
#include "trainer/trainer.h"

namespace swavd::trainer {
namespace {

TEST(BuildWithoutLibTorch, SaysSoInsteadOfTraining) {
  const auto trainer = make_torch_trainer({});
  ASSERT_FALSE(trainer.ok());
  EXPECT_EQ(trainer.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(trainer.error().message, "this build has no LibTorch");
  EXPECT_FALSE(knn({}, {}, {}, {}, {}).ok());
  EXPECT_FALSE(view_retrieval({}, {}).ok());
  MemorySnapshot snapshot{state::FrozenState{}};
  EXPECT_EQ(
      make_probe_trainer({}, snapshot, {}).error().code,
      ErrorCode::kUnavailable);
  EXPECT_EQ(
      make_fine_tuner({}, snapshot, {}).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace swavd::trainer
