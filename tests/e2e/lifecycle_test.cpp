// Starting, draining, refusing to start.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
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

using nlohmann::json;

constexpr int kExitUsage = 64;
constexpr int kExitUnavailable = 69;
constexpr int kExitFenced = 76;
constexpr int kExitConfig = 78;

/// Runs a daemon that is expected to end by itself.
struct Refusal {
  int status = 0;
  std::string err;
};

Refusal run_to_the_end(Site& site, const std::vector<std::string>& more = {}) {
  const auto daemon = site.start(more);
  const auto status = daemon->wait(kPatience);
  return {status.value_or(Finished::kTimedOut), daemon->err()};
}

/// No snapshots but those a drain or a command makes.
SiteOptions no_cadence() {
  SiteOptions options;
  options.every_steps = 1'000'000;
  return options;
}

TEST(Lifecycle, SigtermCommitsTheLastStepAndTheNextStartGoesOnBehindIt) {
  Site site(no_cadence());
  fill_folder(site.path("a"), 5 * 16 + 7, 0);
  push(site.stream_url(), site.path("a"));
  {
    const auto daemon = site.start_training();
    ASSERT_TRUE(site.wait_for_images(*daemon, 80));
    EXPECT_TRUE(list_snapshots(site.data_dir()).empty());
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
  const json first = newest_snapshot(site.data_dir());
  EXPECT_EQ(first.at("step"), 5);
  EXPECT_EQ(first.at("images"), 80);
  EXPECT_EQ(first.at("ledger").at("count"), 80);

  // The seven that did not fill a batch are the first of the next one.
  fill_folder(site.path("b"), 9, 0, 1000);
  push(site.stream_url(), site.path("b"));
  const auto daemon = site.start_training();
  ASSERT_TRUE(site.wait_for_images(*daemon, 96));
  ASSERT_EQ(Site::drain(*daemon), 0);
  const json second = newest_snapshot(site.data_dir());
  EXPECT_EQ(second.at("step"), 6);
  EXPECT_EQ(second.at("parent"), first.at("id"));
  EXPECT_GT(second.at("generation"), first.at("generation"));
  const Topic topic = read_topic(site.stream_url());
  EXPECT_EQ(expect_exact(second, topic).count, records_of(topic));
}

TEST(Lifecycle, RestartWithNothingNewShowsWhereTheRunStandsAndAddsNoSnapshot) {
  Site site(no_cadence());
  fill_folder(site.path("a"), 32, 0);
  push(site.stream_url(), site.path("a"));
  {
    const auto daemon = site.start_training();
    ASSERT_TRUE(site.wait_for_images(*daemon, 32));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
  const auto daemon = site.start_training();
  const auto status = http_status(site.port());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->at("step"), 2);
  EXPECT_EQ(status->at("images"), 32);
  ASSERT_EQ(Site::drain(*daemon), 0);
  EXPECT_EQ(list_snapshots(site.data_dir()).size(), 1U);
}

TEST(Lifecycle, SecondDaemonOnTheSameDataExits76NamingTheHolder) {
  Site site;
  const auto daemon = site.start_training();
  const Refusal second = run_to_the_end(
      site,
      {"--set", fmt::format("http.listen=\"127.0.0.1:{}\"", free_port())});
  EXPECT_EQ(second.status, kExitFenced);
  EXPECT_NE(second.err.find(std::to_string(daemon->pid())), std::string::npos)
      << second.err;
  EXPECT_TRUE(daemon->running());
  ASSERT_EQ(Site::drain(*daemon), 0);
}

TEST(Lifecycle, AddressInUseExits69NamingIt) {
  Site site;
  const auto daemon = site.start_training();
  Site other;
  const std::string taken = fmt::format("127.0.0.1:{}", site.port());
  const Refusal refusal = run_to_the_end(
      other, {"--set", fmt::format("http.listen=\"{}\"", taken)});
  EXPECT_EQ(refusal.status, kExitUnavailable);
  EXPECT_NE(refusal.err.find(taken), std::string::npos) << refusal.err;
}

TEST(Lifecycle, ChangedLineageKeyExits78NamingIt) {
  Site site;
  fill_folder(site.path("a"), 16, 0);
  push(site.stream_url(), site.path("a"));
  {
    const auto daemon = site.start_training();
    ASSERT_TRUE(site.wait_for_images(*daemon, 16));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
  const Refusal refusal =
      run_to_the_end(site, {"--set", "swav.prototypes=301"});
  EXPECT_EQ(refusal.status, kExitConfig);
  EXPECT_NE(refusal.err.find("swav.prototypes"), std::string::npos)
      << refusal.err;
  // A key of another class may change.
  const auto daemon = site.start_training({"--set", "loader.workers=1"});
  ASSERT_EQ(Site::drain(*daemon), 0);
}

TEST(Lifecycle, AnotherStreamThanTheSnapshotsExits78) {
  Site site;
  fill_folder(site.path("a"), 16, 0);
  push(site.stream_url(), site.path("a"));
  {
    const auto daemon = site.start_training();
    ASSERT_TRUE(site.wait_for_images(*daemon, 16));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
  const Refusal refusal = run_to_the_end(
      site,
      {"--set",
       fmt::format("stream.url=\"log://{}\"", site.path("stream/other"))});
  EXPECT_EQ(refusal.status, kExitConfig);
  EXPECT_NE(refusal.err.find("stream/other"), std::string::npos) << refusal.err;
}

TEST(Lifecycle, StreamDeletedAndMadeAnewIsRefused) {
  Site site;
  fill_folder(site.path("a"), 16, 0);
  push(site.stream_url(), site.path("a"));
  {
    const auto daemon = site.start_training();
    ASSERT_TRUE(site.wait_for_images(*daemon, 16));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }
  std::filesystem::remove_all(site.path("stream"));
  push(site.stream_url(), site.path("a"));
  const Refusal refusal = run_to_the_end(site);
  EXPECT_EQ(refusal.status, kExitConfig) << refusal.err;
}

TEST(Lifecycle, UnknownSchemesAreConfigurationMistakes) {
  for (const char* wrong :
       {"object_store.url=\"ftp://host/models\"",
        "stream.url=\"amqp://host/images\""}) {
    Site site;
    const Refusal refusal = run_to_the_end(site, {"--set", wrong});
    EXPECT_EQ(refusal.status, kExitConfig) << wrong << refusal.err;
    EXPECT_NE(refusal.err.find("://host/"), std::string::npos) << refusal.err;
  }
}

TEST(Lifecycle, BrokerThatIsAwayExits69) {
  SiteOptions options;
  options.stream_url = fmt::format("kafka://127.0.0.1:{}/images", free_port());
  Site site(options);
  const Refusal refusal = run_to_the_end(site);
  EXPECT_EQ(refusal.status, kExitUnavailable) << refusal.err;
}

TEST(Lifecycle, StopAfterImagesDrainsByItself) {
  Site site(no_cadence());
  fill_folder(site.path("a"), 64, 0);
  push(site.stream_url(), site.path("a"));
  const Refusal end = run_to_the_end(site, {"--stop-after-images", "32"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(newest_snapshot(site.data_dir()).at("images"), 32);
}

TEST(Lifecycle, SighupReadsTheConfigurationAnewAllOrNothing) {
  Site site(no_cadence());
  const auto daemon = site.start_training();
  const std::string good = read_text(site.config());
  const auto said = [&](const std::string& words) {
    return wait_until(kPatience, [&] {
      return daemon->err().find(words) != std::string::npos;
    });
  };
  std::ofstream(site.config()) << good << "[log]\nlevle = \"info\"\n";
  daemon->signal(SIGHUP);
  EXPECT_TRUE(said("reload refused")) << daemon->err();
  EXPECT_TRUE(said("log.levle")) << daemon->err();

  // The new cadence holds at once.
  const std::string old = "every_steps = 1000000";
  std::string changed = good;
  changed.replace(changed.find(old), old.size(), "every_steps = 1");
  std::ofstream(site.config()) << changed;
  daemon->signal(SIGHUP);
  EXPECT_TRUE(said("reloaded")) << daemon->err();
  fill_folder(site.path("a"), 16, 0);
  push(site.stream_url(), site.path("a"));
  EXPECT_TRUE(said("step=1")) << daemon->err();
  ASSERT_EQ(Site::drain(*daemon), 0);
}

TEST(Lifecycle, MissingConfigOptionExits64) {
  EXPECT_EQ(run_program("swavd", {"run"}).status, kExitUsage);
}

}  // namespace
}  // namespace swavd::e2e
