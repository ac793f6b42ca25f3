// push and `swavctl snapshots`, beside a daemon that trains.

#include <filesystem>
#include <set>
#include <string>

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
    daemon_ = site_.start_training();
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
