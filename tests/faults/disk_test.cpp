// What disks do: lose their power, their room, their patience, their truth.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/scale.h"
#include "tests/faults/fault_site.h"
#include "tests/faults/injection.h"
#include "tests/faults/matrix.h"
#include "tests/faults/volume.h"

namespace swavd::faults {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr int kExitIo = 74;
constexpr const char* kCommitThread = "snapshot-commit";

/// A site whose data folder, and its stream if wanted, are volumes.
class Disk : public ::testing::Test {
 protected:
  [[nodiscard]] bool mount(const std::string& name, std::uint64_t megabytes) {
    auto& volume = name == "data" ? data_ : stream_;
    volume = Volume::mount(
        images_.write(name + ".img", ""),
        faults_->site().path(name),
        megabytes,
        why_);
    if (volume == nullptr) {
      return false;
    }
    faults_->feed(kBatch);
    return true;
  }

  void TearDown() override {
    faults_->stop_writing();
    data_.reset();
    stream_.reset();
  }

  milliseconds some_time(int most) {
    return milliseconds(std::uniform_int_distribution<int>(0, most)(random_));
  }

  /// The power goes, and comes back: nothing that was running is left.
  void cut_power(e2e::Process& daemon) {
    data_->cut_power();
    if (stream_) {
      stream_->cut_power();
    }
    daemon.kill();
    faults_->heed(daemon);
    faults_->stop_writing();
    data_->mount_again();
    if (stream_) {
      stream_->mount_again();
    }
  }

  ingest::testing::TempFolder images_;
  std::unique_ptr<FaultSite> faults_ = std::make_unique<FaultSite>();
  std::unique_ptr<Volume> data_;
  std::unique_ptr<Volume> stream_;
  std::string why_;
  std::mt19937 random_{20261124};
};

constexpr const char* kPowerHolds =
    "what was called durable is there, what is there is whole";

TEST_F(Disk, PowerLossAtRandomMoments) {
  Row row("power loss (ext4 shutdown) at a random moment", kPowerHolds);
  if (!mount("data", 64)) {
    GTEST_SKIP() << why_;
  }
  const std::uint64_t cuts = repeats(40, 3);
  for (std::uint64_t i = 0; i < cuts && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("cut {}", i));
    const auto daemon = faults_->recover();
    faults_->feed(3 * kBatch);
    (void)daemon->wait(some_time(60));  // the moment is the point
    cut_power(*daemon);
    row.injected();
  }
  faults_->finish();
}

TEST_F(Disk, PowerLossRightAfterASnapshotIsCalledDurable) {
  Row row("power loss right after a snapshot is called durable", kPowerHolds);
  if (!mount("data", 64)) {
    GTEST_SKIP() << why_;
  }
  const std::uint64_t cuts = repeats(40, 3);
  for (std::uint64_t i = 0; i < cuts && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("cut {}", i));
    const auto daemon = faults_->recover();
    faults_->feed(kBatch);
    ASSERT_TRUE(e2e::wait_until(e2e::kPatience, [&] {
      return daemon->err().find("is durable") != std::string::npos;
    })) << daemon->err();
    cut_power(*daemon);
    row.injected();
  }
  faults_->finish();
}

TEST_F(Disk, PowerLossOfTheStreamToo) {
  Row row(
      "power loss of the embedded stream and the snapshots at once",
      "what was called durable is there; no position passes what the stream "
      "still has");
  if (!mount("stream", 600) || !mount("data", 64)) {
    GTEST_SKIP() << why_;
  }
  const std::uint64_t cuts = repeats(25, 3);
  for (std::uint64_t i = 0; i < cuts && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("cut {}", i));
    faults_->feed(2 * kBatch);
    const auto daemon = faults_->recover();
    faults_->feed(2 * kBatch);
    (void)daemon->wait(some_time(60));
    cut_power(*daemon);
    row.injected();
  }
  // What the last batch before a cut held is served once a writer is back.
  faults_->feed(kBatch);
  faults_->finish();
}

/// One call of the commit thread fails, whichever; gives how it ended.
class FailingCall : public Disk,
                    public ::testing::WithParamInterface<const char*> {
 protected:
  int step_with(const std::string& injection, std::string& log) {
    const auto daemon = faults_->recover();
    EXPECT_TRUE(faults_->catch_up(*daemon));
    const auto strace = tamper(
        thread_named(daemon->pid(), kCommitThread),
        {injection},
        faults_->site().path("strace-" + injection));
    faults_->feed(kBatch);
    (void)e2e::wait_until(e2e::kPatience, [&] {
      return !daemon->running() ||
             daemon->err().find("is durable") != std::string::npos;
    });
    daemon->signal(SIGTERM);
    const auto ended = daemon->wait(e2e::kPatience);
    faults_->heed(*daemon);
    log = daemon->err();
    return ended.value_or(e2e::Finished::kTimedOut);
  }
};

TEST_P(FailingCall, IsFatalAndTheRestartDecides) {
  Row row(
      fmt::format("{} of the commit thread fails with EIO once", GetParam()),
      "exit 74 naming it, nothing is tried again, the restart continues");
  bool touched = true;
  for (int call = 1; touched && !HasFailure(); ++call) {
    SCOPED_TRACE(fmt::format("{} {}", GetParam(), call));
    std::string log;
    const int ended =
        step_with(fmt::format("{}:error=EIO:when={}", GetParam(), call), log);
    ASSERT_TRUE(ended == 0 || ended == kExitIo) << ended << log;
    if (ended == kExitIo) {
      EXPECT_NE(log.find("error   io "), std::string::npos) << log;
      row.injected();
    }
    touched = ended == kExitIo;
  }
  EXPECT_GT(row.injections(), 0U);
  faults_->finish();
}

INSTANTIATE_TEST_SUITE_P(
    SystemCalls,
    FailingCall,
    ::testing::Values("fdatasync", "link"),
    [](const auto& test) { return std::string(test.param); });

TEST_F(Disk, FullAndThenWithRoomAgain) {
  Row row(
      "disk full, then room again",
      "training goes on, the snapshot waits with the reason `exhausted`, and "
      "is made without a restart");
  if (!mount("data", 64)) {
    GTEST_SKIP() << why_;
  }
  const std::uint64_t times = repeats(10, 1);
  const auto daemon = faults_->recover();
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    ASSERT_TRUE(faults_->catch_up(*daemon));
    const std::string filler = faults_->site().path("data/filler");
    ASSERT_NE(
        e2e::run_program("/bin/dd", {"if=/dev/zero", "of=" + filler, "bs=64k"})
            .status,
        0);  // it ends when the disk is full
    faults_->feed(kBatch);
    ASSERT_TRUE(faults_->catch_up(*daemon));
    faults_->expect_reason(
        *daemon,
        R"(swavd_snapshot_failures_total{reason="exhausted",tier="local"})",
        "exhausted");
    row.injected();
    const auto failed = daemon->err().size();
    fs::remove(filler);
    faults_->feed(kBatch);
    ASSERT_TRUE(e2e::wait_until(e2e::kPatience, [&] {
      return daemon->err().find("is durable", failed) != std::string::npos;
    })) << daemon->err();
  }
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults_->heed(*daemon);
  faults_->finish();
}

TEST_F(Disk, TurnsReadOnly) {
  Row row(
      "the filesystem turns read-only",
      "exit 74 with the reason `io`; it starts again once it can write");
  if (!mount("data", 64)) {
    GTEST_SKIP() << why_;
  }
  const std::uint64_t times = repeats(5, 1);
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    const auto daemon = faults_->recover();
    data_->cut_power();  // a remount waits for nobody who holds a file open
    faults_->feed(kBatch);
    EXPECT_EQ(daemon->wait(e2e::kPatience), kExitIo) << daemon->err();
    EXPECT_NE(daemon->err().find("error   io "), std::string::npos)
        << daemon->err();
    faults_->heed(*daemon);
    data_->mount_again();
    data_->set_read_only(true);
    const auto refused = faults_->start();
    EXPECT_EQ(refused->wait(e2e::kPatience), kExitIo) << refused->err();
    data_->set_read_only(false);
    row.injected(2);
  }
  faults_->finish();
}

TEST_F(Disk, SlowSync) {
  Row row(
      "every sync of a commit takes 0.3 s longer",
      "training goes on meanwhile; what is due is postponed and counted");
  const auto daemon = faults_->recover();
  const auto strace = tamper(
      thread_named(daemon->pid(), kCommitThread),
      {"fdatasync:delay_enter=300000", "fsync:delay_enter=300000"},
      faults_->site().path("strace"));
  faults_->feed(8 * kBatch);
  ASSERT_TRUE(faults_->catch_up(*daemon));
  EXPECT_EQ(daemon->err().find("is durable"), std::string::npos)
      << "the steps waited for the disk";
  faults_->expect_reason(
      *daemon, "swavd_snapshot_postponed_total", "snapshot_postponed");
  row.injected(8);
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults_->heed(*daemon);
  faults_->finish();
}

TEST_F(Disk, DescriptorsRunOut) {
  Row row(
      "too few file descriptors, any number of them",
      "it runs, or ends with an error that names what it could not open");
  const int stride = in_full() ? 4 : 32;
  for (int limit = 16; limit <= 144 && !HasFailure(); limit += stride) {
    SCOPED_TRACE(fmt::format("{} descriptors", limit));
    faults_->feed(kBatch);
    const auto daemon = faults_->site().start_under(
        {"/usr/bin/prlimit", fmt::format("--nofile={}", limit)},
        faults_->arguments({"--stop-after-images", std::to_string(kBatch)}));
    const auto ended = daemon->wait(e2e::kPatience);
    ASSERT_TRUE(ended) << daemon->err();
    ASSERT_GE(*ended, 0) << "died of a signal: " << daemon->err();
    ASSERT_NE(*ended, 127) << daemon->err();
    EXPECT_TRUE(*ended == 0 || daemon->err().find("error") != std::string::npos)
        << *ended << daemon->err();
    row.injected(*ended == 0 ? 0 : 1);
    faults_->heed(*daemon);
  }
  EXPECT_GT(row.injections(), 0U);
  faults_->finish();
}

}  // namespace
}  // namespace swavd::faults
