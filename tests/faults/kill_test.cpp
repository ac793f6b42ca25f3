// kill -9 at every system call of the commit path and of a start, and at any
// moment at all: a snapshot is there as a whole or not at all, what was called
// durable is there, and along the lineage no record is skipped or doubled.

#include <csignal>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/scale.h"
#include "tests/faults/fault_site.h"
#include "tests/faults/injection.h"
#include "tests/faults/matrix.h"

namespace swavd::faults {
namespace {

using std::chrono::milliseconds;

constexpr const char* kHolds =
    "snapshots are whole, durable ones stay, no record skipped or doubled";

/// In the short form every so-manieth call only.
constexpr int kStride = 5;

/// A system call that is where a process dies, one after the other of them.
class KillAt : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] std::string at(std::uint64_t call) const {
    return fmt::format("{}:signal=KILL:when={}", GetParam(), call);
  }

  static std::uint64_t stride() { return repeats(1, kStride); }

  FaultSite faults_;
};

using KillInCommit = KillAt;

TEST_P(KillInCommit, AtEveryCallUntilARunPassesUntouched) {
  Row row(
      fmt::format("kill -9 at the N-th {} of the commit thread", GetParam()),
      kHolds);
  bool touched = true;
  for (std::uint64_t call = 1; touched && !HasFailure(); call += stride()) {
    SCOPED_TRACE(fmt::format("{} {}", GetParam(), call));
    const auto daemon = faults_.recover();
    ASSERT_TRUE(faults_.catch_up(*daemon));
    const pid_t thread = thread_named(daemon->pid(), "snapshot-commit");
    ASSERT_NE(thread, 0);
    const auto strace = tamper(
        thread, {at(call)}, faults_.site().path(fmt::format("strace{}", call)));
    faults_.feed(2 * kBatch);
    (void)e2e::wait_until(e2e::kPatience, [&] {
      const auto status = e2e::http_status(faults_.site().port());
      return !daemon->running() ||
             (status && status->value("images", std::uint64_t{0}) >=
                            faults_.fed() / kBatch * kBatch);
    });
    daemon->signal(SIGTERM);
    const auto ended = daemon->wait(e2e::kPatience);
    ASSERT_TRUE(ended == 0 || ended == -SIGKILL) << daemon->err();
    touched = ended == -SIGKILL;
    row.injected(touched ? 1 : 0);
    faults_.heed(*daemon);
  }
  faults_.finish();
  EXPECT_GT(row.injections(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    SystemCalls,
    KillInCommit,
    ::testing::Values(
        "write",
        "fdatasync",
        "fsync",
        "rename",
        "link",
        "unlink",
        "openat",
        "close",
        "pread64",
        "sync_file_range"),
    [](const auto& test) { return std::string(test.param); });

using KillInStart = KillAt;

TEST_P(KillInStart, AtEveryCallUntilARunPassesUntouched) {
  Row row(
      fmt::format(
          "kill -9 at the N-th {} of a thread, from the start on", GetParam()),
      kHolds);
  faults_.feed(kBatch);
  bool touched = true;
  for (std::uint64_t call = 1; touched && !HasFailure(); call += stride()) {
    SCOPED_TRACE(fmt::format("{} {}", GetParam(), call));
    faults_.feed(kBatch);
    const auto daemon = faults_.site().start_under(
        tampered_from_the_start({at(call)}),
        faults_.arguments({"--stop-after-images", std::to_string(kBatch)}));
    const auto ended = daemon->wait(e2e::kPatience);
    ASSERT_TRUE(ended == 0 || ended == -SIGKILL) << daemon->err();
    touched = ended == -SIGKILL;
    row.injected(touched ? 1 : 0);
    faults_.heed(*daemon);
  }
  faults_.finish();
  EXPECT_GT(row.injections(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    SystemCalls,
    KillInStart,
    ::testing::Values(
        "write",
        "fdatasync",
        "fsync",
        "rename",
        "ftruncate",
        "mkdir",
        "unlink",
        "fallocate"),
    [](const auto& test) { return std::string(test.param); });

class Kill : public ::testing::Test {
 protected:
  milliseconds some_time(int most) {
    return milliseconds(std::uniform_int_distribution<int>(0, most)(random_));
  }

  FaultSite faults_;
  std::mt19937 random_{20261124};
};

TEST_F(Kill, AtRandomMoments) {
  Row row("kill -9 at a random moment", kHolds);
  const std::uint64_t kills = repeats(400, 20);
  for (std::uint64_t i = 0; i < kills && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("kill {}", i));
    faults_.feed(3 * kBatch);
    const auto daemon = faults_.start();
    // The moment is the point: anywhere from exec to idle after the last step.
    ASSERT_FALSE(daemon->wait(some_time(400))) << daemon->err();
    daemon->kill();
    row.injected();
    faults_.heed(*daemon);
    if (i % 4 == 3) {
      faults_.recover()->kill();
      row.injected();
    }
  }
  faults_.finish();
}

TEST_F(Kill, InADrain) {
  Row row("kill -9 while a drain commits the last snapshot", kHolds);
  const std::uint64_t kills = repeats(40, 4);
  for (std::uint64_t i = 0; i < kills && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("drain {}", i));
    const auto daemon =
        faults_.recover({"--set", "snapshot.every_steps=100000"});
    faults_.feed(2 * kBatch);
    ASSERT_TRUE(faults_.catch_up(*daemon));
    daemon->signal(SIGTERM);
    const auto ended = daemon->wait(some_time(15));
    row.injected(ended ? 0 : 1);
    daemon->kill();
    faults_.heed(*daemon);
  }
  faults_.finish();
}

}  // namespace
}  // namespace swavd::faults
