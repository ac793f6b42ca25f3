// One run, several daemons: who owns it, who takes it over, who is sent away.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"

namespace swavd::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kFenced = 76;
constexpr int kBatch = 16;

/// A unit under a service manager that starts what fails again at once, but
/// not after the statuses of RestartPreventExitStatus in swavd.service.
class Unit {
 public:
  Unit(Site& site, std::vector<std::string> arguments)
      : site_(site),
        arguments_(std::move(arguments)),
        process_(site.start(arguments_)) {}

  /// One round of the service manager.
  void tend() {
    const std::set<int> kStayDown = {0, 64, kFenced, 77, 78};
    if (down_ || process_->running()) {
      return;
    }
    const int status = *process_->wait(milliseconds(0));
    ++exits_[status];
    said_ += process_->err();
    down_ = kStayDown.contains(status);
    if (!down_) {
      process_ = site_.start(arguments_);
    }
  }

  [[nodiscard]] bool down() const { return down_; }

  [[nodiscard]] int exits(int status) const {
    const auto found = exits_.find(status);
    return found == exits_.end() ? 0 : found->second;
  }

  [[nodiscard]] std::string said() const { return said_ + process_->err(); }

  [[nodiscard]] Process& process() { return *process_; }

 private:
  Site& site_;
  const std::vector<std::string> arguments_;
  std::unique_ptr<Process> process_;
  std::map<int, int> exits_;
  std::string said_;
  bool down_ = false;
};

/// How long the supervised pair runs: seconds here, ten minutes in a fault
/// run (SWAVD_OWNERS_SECONDS=600).
seconds pair_time() {
  const char* text = std::getenv("SWAVD_OWNERS_SECONDS");
  constexpr int kShort = 8;
  return seconds(text == nullptr ? kShort : std::atoi(text));
}

class Runs : public ::testing::Test {
 protected:
  [[nodiscard]] SiteOptions here() const {
    SiteOptions options;
    options.object_store = "file://" + (store_.path() / "models").string();
    return options;
  }

  /// As on another machine: stream and object store are all they share.
  [[nodiscard]] SiteOptions elsewhere() const {
    SiteOptions options = here();
    options.stream_url = site_.stream_url();
    return options;
  }

  void add_images(std::uint64_t images) {
    const std::string folder = site_.path(fmt::format("in{}", added_));
    fill_folder(folder, images, 0, added_);
    push(site_.stream_url(), folder);
    added_ += images;
  }

  [[nodiscard]] std::string run_url() const {
    return "file://" + (store_.path() / "models" / "main").string();
  }

  [[nodiscard]] json remote_json(const std::string& name) const {
    return json::parse(
        read_text((store_.path() / "models/main" / name).string()),
        nullptr,
        false);
  }

  [[nodiscard]] json owner_record() const {
    return remote_json("generation.json");
  }

  /// Pushes what is trained up to `step`, and waits for its snapshot: a freeze
  /// that is due while the last one is being written would be put off.
  [[nodiscard]] bool train_to(Site& site, std::uint64_t step) {
    add_images(step * kBatch - added_);
    return wait_until(kPatience, [&] {
      const auto status = http_status(site.port());
      return status && status->at("last_snapshot").is_object() &&
             status->at("last_snapshot").at("step") == step;
    });
  }

  /// Waits until the snapshot of this step is in the object store.
  [[nodiscard]] bool uploaded(std::uint64_t step) const {
    const std::string id = fmt::format("{:012}-", step);
    return wait_until(kPatience, [&] {
      const json latest = remote_json("latest.json");
      return latest.is_object() && latest.value("newest", "").starts_with(id);
    });
  }

  void expect_exact_everywhere(const std::string& ref) {
    const Topic topic = read_topic(site_.stream_url());
    for (const json& snapshot : list_snapshots(ref)) {
      expect_exact(
          show_snapshot(ref + "@" + snapshot.at("id").get<std::string>()),
          topic);
    }
  }

  /// Two units for a while, the owner killed now and then.
  void run_the_pair(Unit& owner, Unit& other, Site& owners_site) {
    const auto end = steady_clock::now() + pair_time();
    auto next_kill = steady_clock::now() + seconds(3);
    int kills = 0;
    std::uint64_t generation = 0;
    while (steady_clock::now() < end) {
      owner.tend();
      other.tend();
      if (const auto status = http_status(owners_site.port())) {
        const auto now = status->value("generation", std::uint64_t{0});
        EXPECT_TRUE(now == 0 || now >= generation);
        generation = std::max(generation, now);
        if (steady_clock::now() > next_kill && other.down()) {
          owner.process().kill();
          ++kills;
          next_kill = steady_clock::now() + seconds(3);
          add_images(kBatch);
        }
      }
    }
    EXPECT_GE(kills, 1);
    EXPECT_FALSE(owner.down()) << owner.said();
    EXPECT_EQ(owner.exits(kFenced), 0) << owner.said();
    EXPECT_TRUE(other.down()) << other.said();
    EXPECT_EQ(other.exits(kFenced), 1) << other.said();
    EXPECT_EQ(owner.exits(-SIGKILL), kills) << owner.said();
  }

  ingest::testing::TempFolder store_;
  Site site_{here()};
  std::uint64_t added_ = 0;
};

const std::vector<std::string> kNoDeadLetters = {
    "--set",
    "stream.dead_letter=\"off\""};

TEST_F(Runs, TwoUnitsOnOneRunHaveOneOwnerAndTheOtherExits76Once) {
  add_images(10 * kBatch);
  Unit owner(site_, kNoDeadLetters);
  ASSERT_TRUE(site_.wait_for_state(owner.process(), "training"));
  Site site(elsewhere());
  Unit other(site, kNoDeadLetters);
  run_the_pair(owner, other, site_);
  ASSERT_TRUE(site_.wait_for_images(owner.process(), added_));
  ASSERT_EQ(Site::drain(owner.process()), 0);
  expect_unbroken_line(list_snapshots(run_url()));
  expect_exact_everywhere(run_url());
  EXPECT_EQ(newest_snapshot(run_url()).at("images"), added_);
}

TEST_F(Runs, TwoUnitsOnOneDataFolderHaveOneOwnerAndTheOtherExits76Once) {
  Site site;  // local tier only
  fill_folder(site.path("a"), 4 * kBatch, 0);
  push(site.stream_url(), site.path("a"));
  Unit owner(site, {});
  ASSERT_TRUE(site.wait_for_state(owner.process(), "training"));
  Unit other(
      site,
      {"--set",
       fmt::format("http.listen=\"127.0.0.1:{}\"", free_port()),
       "--set",
       fmt::format("admin.socket=\"{}\"", site.path("other.sock"))});
  const auto deadline = steady_clock::now() + kPatience;
  while (!other.down() && steady_clock::now() < deadline) {
    owner.tend();
    other.tend();
  }
  EXPECT_EQ(other.exits(kFenced), 1) << other.said();
  EXPECT_NE(
      other.said().find(std::to_string(owner.process().pid())),
      std::string::npos)
      << other.said();
  ASSERT_TRUE(site.wait_for_images(owner.process(), 4 * kBatch));
  ASSERT_EQ(Site::drain(owner.process()), 0);
}

TEST_F(Runs, OwnerThatWasStoppedForTooLongFindsItselfFenced) {
  add_images(3 * kBatch);
  const auto first = site_.start_training(kNoDeadLetters);
  ASSERT_TRUE(site_.wait_for_images(*first, added_));
  ASSERT_TRUE(uploaded(3));
  first->signal(SIGSTOP);
  Site site(elsewhere());
  const auto second = site.start_training(kNoDeadLetters);
  add_images(3 * kBatch);
  ASSERT_TRUE(site.wait_for_images(*second, added_));
  EXPECT_EQ(owner_record().at("owner").at("pid"), second->pid());

  ASSERT_TRUE(uploaded(6));
  const json before = list_snapshots(run_url());
  first->signal(SIGCONT);
  EXPECT_EQ(first->wait(kPatience), kFenced) << first->err();
  EXPECT_NE(first->err().find("fenced"), std::string::npos) << first->err();
  EXPECT_EQ(list_snapshots(run_url()), before);
  ASSERT_EQ(Site::drain(*second), 0);
  expect_exact_everywhere(run_url());
}

TEST_F(Runs, StatusAndMetricsShowGenerationAndLease) {
  const auto daemon = site_.start_training();
  const auto status = http_status(site_.port());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->at("generation"), 1);
  EXPECT_EQ(status->at("lease").at("state"), "held");
  EXPECT_NE(
      status->at("lease").at("owner").get<std::string>().find(
          std::to_string(daemon->pid())),
      std::string::npos);
  const auto metrics = http_get(site_.port(), "/metrics");
  ASSERT_TRUE(metrics);
  EXPECT_NE(metrics->body.find("swavd_run_generation 1"), std::string::npos);
  EXPECT_NE(
      metrics->body.find("swavd_lease_state{state=\"held\"} 1"),
      std::string::npos);
  ASSERT_EQ(Site::drain(*daemon), 0);
  EXPECT_EQ(owner_record().at("held"), false);
}

TEST_F(Runs, DataFolderLostInTheMiddleIsNoLossOfTheRun) {
  add_images(9 * kBatch);
  {
    const auto daemon = site_.start_training(kNoDeadLetters);
    ASSERT_TRUE(site_.wait_for_images(*daemon, added_));
    // The last one that was due may have been postponed.
    ASSERT_EQ(swavctl({"snapshot", "--socket", site_.socket()}).status, 0);
    ASSERT_TRUE(uploaded(9));
    daemon->kill();
    fs::remove_all(site_.data_dir());
  }
  Site site(elsewhere());
  const auto daemon = site.start_training(kNoDeadLetters);
  add_images(6 * kBatch);
  ASSERT_TRUE(site.wait_for_images(*daemon, added_));
  ASSERT_EQ(Site::drain(*daemon), 0);
  expect_unbroken_line(list_snapshots(run_url()));
  expect_exact_everywhere(run_url());
  EXPECT_EQ(newest_snapshot(run_url()).at("images"), added_);
}

TEST_F(Runs, StoreThatDoesNotAnswerAndNothingLocalIsNeverStepZero) {
  fs::create_symlink("models", store_.path() / "models");  // a loop
  add_images(kBatch);
  const auto daemon = site_.start();
  EXPECT_EQ(daemon->wait(kPatience), 69) << daemon->err();
  EXPECT_NE(daemon->err().find("not starting without"), std::string::npos)
      << daemon->err();
}

TEST_F(Runs, RunWhoseSnapshotsAreGoneStartsOverOnlyWhenTold) {
  add_images(3 * kBatch);
  {
    const auto daemon = site_.start_training(kNoDeadLetters);
    ASSERT_TRUE(site_.wait_for_images(*daemon, added_));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
  fs::remove_all(site_.data_dir() + "/snapshots");
  fs::remove_all(store_.path() / "models/main/lineage");
  const auto refused = site_.start(kNoDeadLetters);
  EXPECT_EQ(refused->wait(kPatience), 78) << refused->err();
  EXPECT_NE(refused->err().find("--new-run"), std::string::npos)
      << refused->err();

  auto told = kNoDeadLetters;
  told.emplace_back("--new-run");
  const auto daemon = site_.start_training(told);
  ASSERT_TRUE(site_.wait_for_images(*daemon, added_));
  ASSERT_EQ(Site::drain(*daemon), 0);
  EXPECT_EQ(newest_snapshot(run_url()).at("parent"), "");
}

TEST_F(Runs, NewRunStartsOverBesideWhatIsThere) {
  add_images(6 * kBatch);
  {
    const auto daemon = site_.start_training(kNoDeadLetters);
    ASSERT_TRUE(site_.wait_for_images(*daemon, added_));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
  const json old = list_snapshots(run_url());
  auto told = kNoDeadLetters;
  told.emplace_back("--new-run");
  told.insert(told.end(), {"--stop-after-images", std::to_string(3 * kBatch)});
  EXPECT_EQ(site_.start(told)->wait(kPatience), 0);

  const json all = list_snapshots(run_url());
  ASSERT_EQ(all.size(), old.size() + 1);
  EXPECT_EQ(all.back().at("step"), 3);
  EXPECT_EQ(all.back().at("parent"), "");
  EXPECT_GT(all.back().at("commit"), old.back().at("commit"));
  // Without the flag it goes on there.
  const auto daemon = site_.start_training(kNoDeadLetters);
  ASSERT_TRUE(site_.wait_for_images(*daemon, added_));
  ASSERT_EQ(Site::drain(*daemon), 0);
  const json last = newest_snapshot(site_.data_dir());
  EXPECT_EQ(last.at("step"), 6);
  expect_exact(last, read_topic(site_.stream_url()));
}

/// The snapshots along the parents of the last one, oldest first.
json line_of(const json& snapshots) {
  std::map<std::string, json> by_id;
  for (const json& snapshot : snapshots) {
    by_id[snapshot.at("id").get<std::string>()] = snapshot;
  }
  json line = json::array();
  std::string id = snapshots.back().at("id").get<std::string>();
  while (by_id.contains(id)) {
    line.insert(line.begin(), by_id.at(id));
    id = by_id.at(id).at("parent").get<std::string>();
  }
  EXPECT_EQ(id, "") << "the line is broken";
  return line;
}

std::string id_of_step(const json& snapshots, int step) {
  for (const json& snapshot : snapshots) {
    if (snapshot.at("step") == step) {
      return snapshot.at("id").get<std::string>();
    }
  }
  ADD_FAILURE() << "no snapshot of step " << step;
  return {};
}

class Rollback : public Runs {
 protected:
  /// Nine steps, snapshots after 3, 6 and 9.
  void train_nine(Site& site) {
    const auto daemon = site.start_training(kNoDeadLetters);
    for (const std::uint64_t step : {3, 6, 9}) {
      ASSERT_TRUE(train_to(site, step)) << daemon->err();
    }
    ASSERT_EQ(Site::drain(*daemon), 0);
  }

  /// Goes on to twelve steps in all and checks the line that leads there.
  void train_on_and_check(Site& site, const std::string& start) {
    add_images(3 * kBatch);
    const auto daemon = site.start_training(kNoDeadLetters);
    ASSERT_NE(
        daemon->err().find("continuing from snapshot " + start),
        std::string::npos)
        << daemon->err();
    ASSERT_TRUE(site.wait_for_images(*daemon, added_));
    ASSERT_EQ(Site::drain(*daemon), 0);
    const json all = list_snapshots(site.data_dir());
    const json line = line_of(all);
    bool by_start = false;
    const Topic topic = read_topic(site.stream_url());
    std::uint64_t step = 0;
    for (const json& snapshot : line) {
      const auto id = snapshot.at("id").get<std::string>();
      by_start |= id == start;
      EXPECT_GT(snapshot.at("step").get<std::uint64_t>(), step);
      step = snapshot.at("step").get<std::uint64_t>();
      expect_exact(show_snapshot(site.data_dir() + "@" + id), topic);
    }
    EXPECT_TRUE(by_start) << line;
    EXPECT_EQ(line.back().at("images"), added_);
    EXPECT_EQ(line.back().at("step"), 12);
  }
};

TEST_F(Rollback, OfARunWithBothTiersContinuesFromThereAndSkipsNothing) {
  train_nine(site_);
  const json before = list_snapshots(run_url());
  const std::string start = id_of_step(before, 3);
  const Finished done = swavctl(
      {"snapshots", "rollback", site_.data_dir() + "@" + start, "--json"});
  ASSERT_EQ(done.status, 0) << done.err;
  const json told = json::parse(done.out);
  EXPECT_EQ(told.at("id"), start);
  EXPECT_EQ(told.at("left").size(), 2U);
  // What consumers see is the start, and the later ones are still there.
  EXPECT_EQ(remote_json("latest.json").at("newest"), start);
  EXPECT_EQ(show_snapshot(run_url()).at("id"), start);
  EXPECT_EQ(show_snapshot(site_.data_dir()).at("id"), start);
  EXPECT_EQ(list_snapshots(run_url()).size(), before.size());
  const std::string left = run_url() + "@" + id_of_step(before, 9);
  EXPECT_EQ(swavctl({"snapshots", "verify", left}).status, 0);

  train_on_and_check(site_, start);
  const json last = newest_snapshot(site_.data_dir());
  EXPECT_GT(last.at("generation"), told.at("generation"));
  EXPECT_EQ(remote_json("latest.json").at("newest"), last.at("id"));
  EXPECT_GT(
      last.at("commit").get<int>(), before.back().at("commit").get<int>());
}

TEST_F(Rollback, OfTheObjectStoreAloneHoldsForEveryMachine) {
  train_nine(site_);
  const std::string start = id_of_step(list_snapshots(run_url()), 6);
  ASSERT_EQ(
      swavctl({"snapshots", "rollback", run_url() + "@" + start}).status, 0);
  train_on_and_check(site_, start);  // its disk has the later ones, too
}

TEST_F(Rollback, OfALocalRunNeedsNoObjectStore) {
  SiteOptions options;
  options.stream_url = site_.stream_url();
  Site site(options);
  train_nine(site);
  const std::string start = id_of_step(list_snapshots(site.data_dir()), 6);
  const Finished done =
      swavctl({"snapshots", "rollback", site.data_dir() + "@" + start});
  ASSERT_EQ(done.status, 0) << done.err;
  train_on_and_check(site, start);
}

TEST_F(Rollback, IsRefusedWhileADaemonHasTheRunUnlessTold) {
  train_nine(site_);
  const std::string start = id_of_step(list_snapshots(run_url()), 6);
  const auto daemon = site_.start_training(kNoDeadLetters);
  for (const std::string& ref : {site_.data_dir(), run_url()}) {
    const Finished refused =
        swavctl({"snapshots", "rollback", ref + "@" + start});
    EXPECT_EQ(refused.status, kFenced) << refused.err;
    EXPECT_NE(
        refused.err.find(std::to_string(daemon->pid())), std::string::npos)
        << refused.err;
  }
  EXPECT_TRUE(daemon->running());
  const Finished told = swavctl(
      {"snapshots", "rollback", run_url() + "@" + start, "--take-over"});
  EXPECT_EQ(told.status, 0) << told.err;
  EXPECT_EQ(daemon->wait(kPatience), kFenced) << daemon->err();
  train_on_and_check(site_, start);
}

TEST_F(Rollback, WithoutAnIdIsAMistake) {
  train_nine(site_);
  EXPECT_EQ(swavctl({"snapshots", "rollback", run_url()}).status, 64);
}

TEST_F(Runs, UploadsThatWaitedBeforeARestartAreDoneAfterIt) {
  // No folder can be made there: nothing is uploaded, but the record is
  // written.
  const fs::path run = store_.path() / "models" / "main";
  fs::create_directories(run);
  std::ofstream(run / "snapshots") << "in the way";
  {
    const auto daemon = site_.start_training(kNoDeadLetters);
    for (const std::uint64_t step : {3, 6, 9}) {
      ASSERT_TRUE(train_to(site_, step)) << daemon->err();
    }
    daemon->kill();
  }
  fs::remove(run / "snapshots");
  const auto daemon = site_.start_training(kNoDeadLetters);
  EXPECT_TRUE(uploaded(9)) << daemon->err();
  ASSERT_EQ(Site::drain(*daemon), 0);
  EXPECT_EQ(list_snapshots(run_url()), list_snapshots(site_.data_dir()));
}

TEST_F(Runs, ManySnapshotsBehindKeepTheNewestAndTheDiskBounded) {
  const fs::path run = store_.path() / "models" / "main";
  fs::create_directories(run);
  std::ofstream(run / "snapshots") << "in the way";
  const std::vector<std::string> bounded = {
      "--set",
      "stream.dead_letter=\"off\"",
      "--set",
      "object_store.max_pending=2",
      "--set",
      "snapshot.keep_last=1",
      "--set",
      "snapshot.every_steps=1"};
  const auto daemon = site_.start_training(bounded);
  for (std::uint64_t step = 1; step <= 8; ++step) {
    ASSERT_TRUE(train_to(site_, step)) << daemon->err();
  }
  const auto metrics_say = [&](const std::string& line) {
    return wait_until(kPatience, [&] {
      const auto metrics = http_get(site_.port(), "/metrics");
      return metrics && metrics->body.find(line) != std::string::npos;
    });
  };
  EXPECT_TRUE(metrics_say("reason=\"superseded\""));
  EXPECT_TRUE(metrics_say("swavd_snapshot_uploads_pending 2"));
  EXPECT_LE(list_snapshots(site_.data_dir()).size(), 3U);
  fs::remove(run / "snapshots");
  EXPECT_TRUE(uploaded(8)) << daemon->err();
  ASSERT_EQ(Site::drain(*daemon), 0);
}

}  // namespace
}  // namespace swavd::e2e
