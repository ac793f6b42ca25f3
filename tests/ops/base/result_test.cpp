#include "ops/base/result.h"

#include <gtest/gtest.h>

namespace swavd {
namespace {

Status fails() {
  return Error{ErrorCode::kIo, "disk on fire"};
}

Result<int> passes_on() {
  SWAVD_RETURN_IF_ERROR(fails());
  return 1;
}

TEST(Result, ReturnIfErrorPassesTheErrorOn) {
  const auto result = passes_on();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message, "disk on fire");
}

TEST(Result, ContextGoesInFront) {
  EXPECT_EQ(
      fails().error().with_context("snapshot 7").message,
      "snapshot 7: disk on fire");
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureAborts) {
  EXPECT_DEATH((void)passes_on().value(), "bug");
}

TEST(ErrorCode, ExitsAsSysexitsSays) {
  EXPECT_EQ(exit_code(ErrorCode::kInvalidArgument), 64);
  EXPECT_EQ(exit_code(ErrorCode::kUnavailable), 69);
  EXPECT_EQ(exit_code(ErrorCode::kIo), 74);
  EXPECT_EQ(exit_code(ErrorCode::kCorruption), 74);
  EXPECT_EQ(exit_code(ErrorCode::kRestart), 75);
  EXPECT_EQ(exit_code(ErrorCode::kFenced), 76);
  EXPECT_EQ(exit_code(ErrorCode::kConfig), 78);
}

}  // namespace
}  // namespace swavd
