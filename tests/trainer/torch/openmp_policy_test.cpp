#include "trainer/openmp_policy.h"

#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

/// Runs in the program that `prefer_sleeping_threads` starts.
TEST(OpenMpPolicy, DISABLED_SpinsBrieflyHere) {
  const char* const spins = std::getenv("GOMP_SPINCOUNT");
  ASSERT_NE(spins, nullptr);
  EXPECT_EQ(std::string(spins), "5000");
}

/// Calls it with these arguments; exits with 7 when it returns.
void restart_or_exit() {
  std::vector<std::string> arguments = {
      "test",
      "--gtest_filter=OpenMpPolicy.DISABLED_SpinsBrieflyHere",
      "--gtest_also_run_disabled_tests"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  prefer_sleeping_threads(argv.data());
  std::_Exit(7);
}

TEST(OpenMpPolicyDeathTest, StartsTheProgramAnew) {
  EXPECT_EXIT(
      {
        unsetenv("OMP_WAIT_POLICY");
        unsetenv("GOMP_SPINCOUNT");
        restart_or_exit();
      },
      testing::ExitedWithCode(0),
      "");
}

TEST(OpenMpPolicyDeathTest, LeavesTheUsersChoiceAlone) {
  for (const char* variable : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) {
    EXPECT_EXIT(
        {
          unsetenv("OMP_WAIT_POLICY");
          unsetenv("GOMP_SPINCOUNT");
          setenv(variable, "1", 1);
          restart_or_exit();
        },
        testing::ExitedWithCode(7),
        "")
        << variable;
  }
}

}  // namespace
}  // namespace swavd::trainer
