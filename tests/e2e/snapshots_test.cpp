// push and `swavctl snapshots`, beside a daemon that trains.

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;

TEST(Push, PrintsOneJsonObjectOfFourKeys) {
  Site site;
  fill_folder(site.path("a"), 20, 5);
  std::uintmax_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(site.path("a"))) {
    bytes += file.file_size();
  }
  const json summary = push(site.stream_url(), site.path("a"));
  std::set<std::string> keys;
  for (const auto& [key, value] : summary.items()) {
    keys.insert(key);
  }
  EXPECT_EQ(
      keys,
      (std::set<std::string>{"published", "bytes", "rejected", "seconds"}));
  EXPECT_EQ(summary.at("published"), 20);
  EXPECT_EQ(summary.at("bytes"), bytes);
  EXPECT_EQ(summary.at("rejected"), 0);
  EXPECT_GE(summary.at("seconds"), 0);
  EXPECT_EQ(records_of(read_topic(site.stream_url())), 20U);
}

TEST(Push, MissingFolderFailsAndNamesIt) {
  Site site;
  const Finished finished = run_program(
      "swavd-crawl", {"push", "--to", site.stream_url(), "/nowhere/images"});
  EXPECT_NE(finished.status, 0);
  EXPECT_EQ(finished.out, "");
  EXPECT_NE(finished.err.find("/nowhere/images"), std::string::npos);
}

class Snapshots : public ::testing::Test {
 protected:
  /// A daemon that has made three snapshots, at steps 2, 4 and 6.
  void SetUp() override {
    daemon_ = site_.start_training(arguments_);
    for (std::uint64_t step = 2; step <= 6 && !HasFatalFailure(); step += 2) {
      train_to(step);
    }
  }

  void train_to(std::uint64_t step) {
    const std::string folder = site_.path("to" + std::to_string(step));
    fill_folder(folder, 2 * 16, 0, 1000 * step);
    push(site_.stream_url(), folder);
    ASSERT_TRUE(site_.wait_for_images(*daemon_, 16 * step));
    ASSERT_EQ(swavctl({"snapshot", "--socket", site_.socket()}).status, 0);
    ASSERT_TRUE(wait_until(kPatience, [&] {
      const auto status = http_status(site_.port());
      return status && status->at("last_snapshot").is_object() &&
             status->at("last_snapshot").at("step") == step;
    })) << daemon_->err();
  }

  static SiteOptions only_when_asked() {
    SiteOptions options;
    options.every_steps = 1'000'000;
    return options;
  }

  std::vector<std::string> arguments_;  ///< of the daemon
  Site site_{only_when_asked()};
  std::unique_ptr<Process> daemon_;
};

TEST_F(Snapshots, CanBeListedShownAndVerifiedBesideARunningDaemon) {
  const json all = list_snapshots(site_.data_dir());
  ASSERT_EQ(all.size(), 3U);
  expect_unbroken_line(all);
  const auto id = all.back().at("id").get<std::string>();
  const Finished table = swavctl({"snapshots", "ls", site_.data_dir()});
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_NE(table.out.find(id), std::string::npos) << table.out;

  // Without an id: the newest. A step or the front of an id names one, too.
  EXPECT_EQ(show_snapshot(site_.data_dir()).at("id"), id);
  EXPECT_EQ(show_snapshot(site_.data_dir() + "@6").at("id"), id);
  EXPECT_EQ(
      show_snapshot(site_.data_dir() + "@" + id.substr(0, 15)).at("id"), id);
  const Finished text = swavctl({"snapshots", "show", site_.data_dir()});
  EXPECT_NE(text.out.find(id), std::string::npos) << text.out;

  const Finished whole = swavctl({"snapshots", "verify", site_.data_dir()});
  EXPECT_EQ(whole.status, 0) << whole.err;
  EXPECT_NE(whole.out.find("model.safetensors"), std::string::npos);
  EXPECT_TRUE(daemon_->running());
}

TEST_F(Snapshots, CanBePulledBesideARunningDaemon) {
  const std::string folder = site_.path("pulled");
  const Finished pulled =
      swavctl({"snapshots", "pull", site_.data_dir(), folder});
  ASSERT_EQ(pulled.status, 0) << pulled.err;
  const auto weights = read_ledger_weights(folder + "/model.safetensors");
  EXPECT_EQ(weights.count, 6U * 16U);
  EXPECT_EQ(swavctl({"snapshots", "verify", folder}).status, 0);
  ASSERT_EQ(Site::drain(*daemon_), 0);
}

TEST_F(Snapshots, CanBeFollowedBesideARunningDaemon) {
  const std::string folder = site_.path("followed");
  Process follower(
      {"swavctl",
       {"snapshots",
        "pull",
        site_.data_dir(),
        folder,
        "--follow",
        "--newest",
        "--every",
        "50ms",
        "--json",
        "--exec",
        "echo hook $SWAVD_SNAPSHOT_STEP"},
       {},
       site_.path("follower")});
  const auto held = [&](std::uint64_t step) {
    return wait_until(kPatience, [&] {
      return follower.err().find("hook " + std::to_string(step) + "\n") !=
             std::string::npos;
    });
  };
  ASSERT_TRUE(held(6)) << follower.err();
  EXPECT_EQ(
      read_ledger_weights(folder + "/current/model.safetensors").count, 96U);
  train_to(8);
  ASSERT_TRUE(held(8)) << follower.err();
  EXPECT_EQ(show_snapshot(folder).at("step"), 8);
  EXPECT_EQ(swavctl({"snapshots", "verify", folder}).status, 0);
  follower.signal(SIGTERM);
  EXPECT_EQ(follower.wait(kPatience), 0) << follower.err();
  // One line of JSON a switch, and nothing else, on stdout.
  const json newest = newest_snapshot(site_.data_dir());
  const std::string out = follower.out();
  const std::string last = out.substr(out.rfind('\n', out.size() - 2) + 1);
  EXPECT_EQ(json::parse(last).at("id"), newest.at("id"));
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
}

class SnapshotsWithRetention : public Snapshots {
 protected:
  SnapshotsWithRetention() { arguments_ = {"--set", "snapshot.keep_last=2"}; }
};

TEST_F(SnapshotsWithRetention, PinnedOneOutlivesTheOthersOfItsAge) {
  // Steps 4 and 6 are there; 2 is gone, or goes in this moment.
  const Finished pinned =
      swavctl({"snapshots", "pin", site_.data_dir() + "@4"});
  ASSERT_EQ(pinned.status, 0) << pinned.err;
  train_to(8);
  train_to(10);
  json left;
  ASSERT_TRUE(wait_until(kPatience, [&] {
    left = list_snapshots(site_.data_dir());
    return left.size() == 3;
  })) << left;
  EXPECT_EQ(left.at(0).at("step"), 4);
  EXPECT_EQ(left.at(0).at("pinned"), true);
  EXPECT_EQ(left.at(1).at("step"), 8);
  EXPECT_EQ(left.at(1).at("pinned"), false);
  EXPECT_EQ(left.at(2).at("step"), 10);
}

TEST_F(Snapshots, CanBeCompared) {
  const Finished diff =
      swavctl({"snapshots", "diff", site_.data_dir() + "@2", "@6", "--json"});
  ASSERT_EQ(diff.status, 0) << diff.err;
  const json parsed = json::parse(diff.out);
  EXPECT_EQ(parsed.at("steps"), 4);
  EXPECT_EQ(parsed.at("images"), 64);
  std::int64_t trained = 0;
  for (const json& row : parsed.at("positions")) {
    trained += row.at("trained").get<std::int64_t>();
  }
  EXPECT_EQ(trained, 64);
  EXPECT_EQ(parsed.at("config"), json::array());
}

TEST_F(Snapshots, UnknownOnesAreNamedInTheError) {
  const Finished unknown =
      swavctl({"snapshots", "show", site_.data_dir() + "@999"});
  EXPECT_NE(unknown.status, 0);
  EXPECT_NE(unknown.err.find("999"), std::string::npos) << unknown.err;
  const Finished nowhere = swavctl({"snapshots", "ls", "/nowhere/data"});
  EXPECT_NE(nowhere.status, 0);
  EXPECT_NE(nowhere.err.find("/nowhere/data"), std::string::npos);
}

}  // namespace
}  // namespace swavd::e2e
