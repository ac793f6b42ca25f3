#include <gtest/gtest.h>

#include "trainer/evaluation.h"
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
}

}  // namespace
}  // namespace swavd::trainer
