#include "trainer/openmp_policy.h"

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

/// Runs in the program that `prefer_sleeping_threads` starts.
TEST(OpenMpPolicy, DISABLED_IsPassiveHere) {
  const char* const policy = std::getenv("OMP_WAIT_POLICY");
  ASSERT_NE(policy, nullptr);
  EXPECT_EQ(std::string(policy), "passive");
}

TEST(OpenMpPolicyDeathTest, StartsTheProgramAnewOnce) {
  std::vector<std::string> arguments = {
      "test",
      "--gtest_filter=OpenMpPolicy.DISABLED_IsPassiveHere",
      "--gtest_also_run_disabled_tests"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  EXPECT_EXIT(
      {
        unsetenv("OMP_WAIT_POLICY");
        prefer_sleeping_threads(argv.data());
        std::_Exit(1);  // it returned
      },
      testing::ExitedWithCode(0),
      "");
  EXPECT_EXIT(
      {
        setenv("OMP_WAIT_POLICY", "active", 1);
        prefer_sleeping_threads(argv.data());
        std::_Exit(7);  // it returned, as it should
      },
      testing::ExitedWithCode(7),
      "");
}

}  // namespace
}  // namespace swavd::trainer
