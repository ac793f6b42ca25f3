#include "ops/bin/progress_bar.h"

#include <cstdio>

#include <gtest/gtest.h>

namespace swavd::bin {
namespace {

using namespace std::chrono_literals;

TEST(ProgressText, ShowsTheShareAndTheTimeLeft) {
  EXPECT_EQ(
      progress_text(250, 1000, 10s),
      "[#######.......................]  25 %  250 of 1000  30 s left");
  EXPECT_EQ(
      progress_text(1000, 1000, 10s),
      "[##############################] 100 %  1000 of 1000  0 s left");
  EXPECT_EQ(
      progress_text(1, 1000, 10s),
      "[..............................]   0 %  1 of 1000  2.8 h left");
}

TEST(ProgressText, NeverGoesPastTheEnd) {
  EXPECT_EQ(progress_text(12, 10, 1s), progress_text(10, 10, 1s));
}

TEST(ProgressText, CountsWhereTheEndIsNotKnown) {
  EXPECT_EQ(progress_text(12, 0, 1s), "12 images");
}

TEST(ProgressBar, WritesNothingToWhatIsNoTerminal) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  {
    ProgressBar bar(file);
    bar.show(1, 2);
  }
  EXPECT_EQ(std::ftell(file), 0);
  std::fclose(file);
}

}  // namespace
}  // namespace swavd::bin
