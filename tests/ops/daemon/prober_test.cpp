#include "ops/daemon/prober.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/bounded_queue.h"
#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::daemon {
namespace {

using metrics::Id;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* kReport =
    R"({"top1":42.5,"standard_error":1.5,"pixels_top1":12.5,)"
    R"("bank":100,"queries":50})";

/// A prober whose program is a shell script of the test.
class Probing : public ::testing::Test {
 protected:
  void start(const std::string& script, ProberOptions options = {}) {
    options.program = folder_.write("swavd", "#!/bin/sh\n" + script);
    std::filesystem::permissions(
        options.program, std::filesystem::perms::owner_all);
    options.place = "/data";
    options.train = "/train";
    options.test = "/test";
    prober_ = std::make_unique<Prober>(
        clock_, registry_, options, [this](const ProbeFigures& figures) {
          (void)figures_.push(figures);
        });
  }

  /// Waits until a counter of failures has risen.
  [[nodiscard]] bool fails(const char* reason) {
    const auto end = clock_.steady() + 60s;
    while (clock_.steady() < end) {
      if (registry_.value(Id::kProbeFailures, {reason}) > 0) {
        return true;
      }
      std::this_thread::yield();
    }
    return false;
  }

  std::string quoted(const std::string& name) const {
    return "'" + (folder_.path() / name).string() + "'";
  }

  ingest::testing::TempFolder folder_;
  SystemClock clock_;
  metrics::Registry registry_;
  BoundedQueue<ProbeFigures> figures_{4};
  std::unique_ptr<Prober> prober_;
};

TEST_F(Probing, RunsTheEvaluationAndExportsItsFigures) {
  ProberOptions options;
  options.bank = 300;
  options.queries = 200;
  start(
      "echo \"$@\" > " + quoted("arguments") + "\necho '" +
          std::string(kReport) + "'",
      options);
  prober_->committed("000000000007-0011aabb", 3, 7);
  const auto figures = figures_.pop_for(60s);
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->snapshot_id, "000000000007-0011aabb");
  EXPECT_EQ(figures->step, 7U);
  EXPECT_EQ(figures->top1, 42.5);
  EXPECT_EQ(figures->queries, 50U);
  EXPECT_EQ(registry_.value(Id::kProbeTop1), 0.425);
  EXPECT_EQ(registry_.value(Id::kProbeError), 0.015);
  EXPECT_EQ(registry_.value(Id::kProbePixels), 0.125);
  EXPECT_EQ(registry_.value(Id::kProbeStep), 7);
  EXPECT_GT(registry_.value(Id::kProbeLast), 0);
  std::ifstream file(folder_.path() / "arguments");
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(
      line,
      "eval knn --snapshot /data@000000000007-0011aabb --train /train --test "
      "/test --bank 300 --queries 200 --json");
}

TEST_F(Probing, TakesEverySoManiethCommit) {
  ProberOptions options;
  options.every = 2;
  start("echo '" + std::string(kReport) + "'", options);
  prober_->committed("one", 1, 10);
  prober_->committed("two", 2, 20);
  const auto figures = figures_.pop_for(60s);
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->snapshot_id, "two");
}

TEST_F(Probing, TheNewestSnapshotTakesTheTurnOfOneThatWaits) {
  // The first run holds until the test has handed over two more.
  start(
      "[ -e " + quoted("first") + " ] || { : > " + quoted("first") +
      "; while [ ! -e " + quoted("go") + " ]; do :; done; }\necho '" +
      std::string(kReport) + "'");
  prober_->committed("one", 1, 10);
  while (!std::filesystem::exists(folder_.path() / "first")) {
    std::this_thread::yield();
  }
  prober_->committed("two", 2, 20);
  prober_->committed("three", 3, 30);
  folder_.write("go", "");
  ASSERT_EQ(figures_.pop_for(60s).value().snapshot_id, "one");
  ASSERT_EQ(figures_.pop_for(60s).value().snapshot_id, "three");
  EXPECT_EQ(registry_.value(Id::kProbeSuperseded), 1);
}

TEST_F(Probing, CountsWhatExitsWithAnError) {
  start("echo 'no such path' >&2; exit 64");
  prober_->committed("one", 1, 10);
  EXPECT_TRUE(fails("probe_failed"));
  EXPECT_EQ(registry_.value(Id::kProbeStep), 0);
}

TEST_F(Probing, CountsWhatIsNoReport) {
  start("echo '{\"top1\":\"much\"}'");
  prober_->committed("one", 1, 10);
  EXPECT_TRUE(fails("probe_malformed"));
}

TEST_F(Probing, GivesUpWhatTakesTooLong) {
  ProberOptions options;
  options.time_limit = 50ms;
  start("sleep 1000", options);
  prober_->committed("one", 1, 10);
  EXPECT_TRUE(fails("probe_timeout"));
}

TEST_F(Probing, StoppingKillsTheChildAndIsNoFailure) {
  start(": > " + quoted("begun") + "; sleep 1000");
  prober_->committed("one", 1, 10);
  while (!std::filesystem::exists(folder_.path() / "begun")) {
    std::this_thread::yield();
  }
  prober_->stop();
  for (const char* reason :
       {"probe_start",
        "probe_failed",
        "probe_killed",
        "probe_timeout",
        "probe_malformed"}) {
    EXPECT_EQ(registry_.value(Id::kProbeFailures, {reason}), 0) << reason;
  }
  prober_->committed("two", 2, 20);  // comes too late, and is let go
}

}  // namespace
}  // namespace swavd::daemon
