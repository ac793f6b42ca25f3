#include "ops/daemon/idle_child.h"

#include <string>

#include <gtest/gtest.h>
#include <sched.h>

#include "ops/base/stage.h"

namespace swavd::daemon {
namespace {

using namespace std::chrono_literals;

Result<ChildOutcome> shell(
    const std::string& script,
    std::chrono::milliseconds limit = 60s,
    const std::stop_token& stop = {}) {
  return run_idle_child("/bin/sh", {"-c", script}, limit, stop);
}

TEST(IdleChild, GivesOutputAndStatus) {
  const auto child = shell("echo answer; echo trouble >&2; exit 3");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(child.value().end, ChildEnd::kExited);
  EXPECT_EQ(child.value().status, 3);
  EXPECT_EQ(child.value().out, "answer\n");
  EXPECT_EQ(child.value().err, "trouble\n");
}

TEST(IdleChild, ReadsAllOfAnOutputLargerThanAPipe) {
  const auto child =
      shell("dd if=/dev/zero bs=1024 count=300 2>/dev/null; echo end >&2");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(child.value().out.size(), 300U * 1024U);
  EXPECT_EQ(child.value().err, "end\n");
}

TEST(IdleChild, RunsAtTheLowestPriority) {
  // The shell reads its own priority once it is lowered: 19 is field 19 of
  // stat, counted behind the name in parentheses, 5 (SCHED_IDLE) field 41.
  const auto child = shell(
      "while :; do set -- $(sed 's/.*) //' /proc/$$/stat);"
      " [ ${17} = 19 ] && break; done; echo ${17} ${39}");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(child.value().out, "19 " + std::to_string(SCHED_IDLE) + "\n");
}

TEST(IdleChild, IsKilledWithItsChildrenWhenTheTimeIsUp) {
  const auto child = shell("sleep 1000 & sleep 1000", 50ms);
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(child.value().end, ChildEnd::kTimedOut);
}

TEST(IdleChild, IsKilledWhenToldToStop) {
  std::stop_source stop;
  stop.request_stop();
  const auto child = shell("sleep 1000", 1000s, stop.get_token());
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(child.value().end, ChildEnd::kStopped);
}

TEST(IdleChild, TellsTheSignalThatEndedIt) {
  const auto child = shell("kill -9 $$");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(child.value().end, ChildEnd::kSignalled);
  EXPECT_EQ(child.value().status, 9);
}

TEST(IdleChild, AProgramThatIsNotThereIsAnError) {
  const auto child = run_idle_child("/nowhere/program", {}, 1s, {});
  ASSERT_FALSE(child.ok());
  EXPECT_NE(child.error().message.find("/nowhere/program"), std::string::npos);
}

}  // namespace
}  // namespace swavd::daemon
