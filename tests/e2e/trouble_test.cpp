// Trouble in training: a small network is made to collapse and to blow up, and
// the daemon says so everywhere, holds its position and waits.

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"

namespace swavd::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kBatch = 16;
constexpr std::uint64_t kPrototypes = 100;

/// A network that does some thousand images a second.
std::vector<std::string> small_network(
    const std::vector<std::string>& more = {}) {
  std::vector<std::string> settings = {
      "model.depth=4",
      "model.w0=8",
      "model.wa=8.0",
      "model.wm=2.0",
      "model.group_width=8",
      "model.head_hidden=[64]",
      "model.head_out=32",
      fmt::format("swav.prototypes={}", kPrototypes),
      fmt::format("loader.batch_images={}", kBatch),
      "loader.shuffle_records=1",  // what is pushed first is trained on first
      "loader.crops=[{count=2,size=16,scale=[0.5,1.0]}]",
      "loader.workers=1",
      "precision.threads=1",
      "schedule.warmup_images=320"};
  settings.insert(settings.end(), more.begin(), more.end());
  std::vector<std::string> arguments;
  for (const std::string& setting : settings) {
    arguments.push_back("--set");
    arguments.push_back(setting);
  }
  return arguments;
}

/// Publishes `copies` hundred times one picture.
void push_one_picture(const Site& site, std::size_t copies) {
  constexpr int kFiles = 100;
  const std::string folder = site.path("same");
  fs::create_directories(folder);
  for (int i = 0; i < kFiles; ++i) {
    std::ofstream(fmt::format("{}/{:03}.png", folder, i), std::ios::binary)
        << noise_png(7, 24);
  }
  push(site.stream_url(), folder, std::vector<std::string>(copies - 1, folder));
}

/// Publishes pictures of one colour each, which are easy to tell apart.
void push_colours(const Site& site, int pictures, std::size_t times) {
  const std::string folder = site.path("colours");
  fs::create_directories(folder);
  for (int i = 0; i < pictures; ++i) {
    std::ofstream(fmt::format("{}/{:05}.png", folder, i), std::ios::binary)
        << plain_png(static_cast<std::uint64_t>(i));
  }
  push(site.stream_url(), folder, std::vector<std::string>(times - 1, folder));
}

json read_json(const fs::path& file) {
  return json::parse(read_text(file.string()), nullptr, false);
}

/// latest.json of a run once it names this snapshot as the newest.
json latest_with(const fs::path& run, const std::string& newest) {
  json latest;
  EXPECT_TRUE(wait_until(kPatience, [&] {
    latest = read_json(run / "latest.json");
    return latest.is_object() && latest.at("newest") == newest;
  })) << latest;
  return latest;
}

std::string newest_id(const Site& site) {
  return list_snapshots(site.data_dir()).back().at("id").get<std::string>();
}

std::string metrics(const Site& site) {
  const auto answer = http_get(site.port(), "/metrics");
  return answer ? answer->body : "";
}

/// The newest snapshot after one was asked for.
json snapshot_now(const Site& site) {
  const std::size_t before = list_snapshots(site.data_dir()).size();
  EXPECT_EQ(swavctl({"snapshot", "--socket", site.socket()}).status, 0);
  EXPECT_TRUE(wait_until(kPatience, [&] {
    return list_snapshots(site.data_dir()).size() > before;
  }));
  return newest_snapshot(site.data_dir());
}

TEST(Collapse, OfAStreamOfOnePictureIsToldAndPausesWithThePositionHeld) {
  const ingest::testing::TempFolder store;
  SiteOptions options;
  options.preset = "tiny";
  options.every_steps = 100;
  options.object_store = "file://" + store.path().string();
  Site site(options);
  push_one_picture(site, 70);
  auto daemon = site.start(small_network());
  ASSERT_TRUE(site.wait_for_state(*daemon, "paused"));

  // At 400 steps a run that learnt nothing is judged.
  const json status = http_status(site.port()).value_or(json::object());
  EXPECT_EQ(status.at("images"), 400 * kBatch);
  EXPECT_EQ(status.at("health").at("verdict"), "collapsing");
  EXPECT_TRUE(status.at("why").get<std::string>().starts_with("collapsing: "))
      << status.at("why");
  const std::string shown = metrics(site);
  const auto reason = status.at("health").at("reason").get<std::string>();
  for (const std::string& line :
       {std::string("swavd_health_verdict{verdict=\"collapsing\"} 1\n"),
        std::string("swavd_health_verdict{verdict=\"healthy\"} 0\n"),
        "swavd_health_changes_total{reason=\"" + reason +
            "\",verdict=\"collapsing\"} 1\n",
        std::string("swavd_train_pauses_total{reason=\"collapsing\"} 1\n"),
        std::string("swavd_state{state=\"paused\"} 1\n")}) {
    EXPECT_NE(shown.find(line), std::string::npos) << line;
  }
  EXPECT_NE(daemon->err().find("collapsing training pauses"), std::string::npos)
      << daemon->err();

  // What the snapshot says, and what consumers are told.
  const json manifest = snapshot_now(site);
  EXPECT_EQ(manifest.at("step"), 400);
  EXPECT_EQ(manifest.at("health").at("verdict"), "collapsing");
  EXPECT_EQ(manifest.at("health").at("reason"), reason);
  EXPECT_TRUE(latest_with(store.path() / "main", newest_id(site))
                  .at("healthy")
                  .is_null());

  // A restart resumes nothing; an operator does.
  ASSERT_EQ(Site::drain(*daemon), 0);
  daemon = site.start(small_network());
  ASSERT_TRUE(site.wait_for_state(*daemon, "paused"));
  EXPECT_EQ(http_status(site.port())->at("images"), 400 * kBatch);
  EXPECT_EQ(swavctl({"resume", "--socket", site.socket()}).status, 0);
  EXPECT_TRUE(site.wait_for_images(*daemon, 420 * kBatch));
}

TEST(Collapse, OfARunThatHadLearntLeavesTheLastHealthySnapshotToConsumers) {
  constexpr int kPictures = 1600;
  constexpr int kTimes = 6;
  constexpr int kChange = kPictures * kTimes;  // images
  const ingest::testing::TempFolder store;
  SiteOptions options;
  options.preset = "tiny";
  options.every_steps = 50;
  options.object_store = "file://" + store.path().string();
  Site site(options);
  push_colours(site, kPictures, kTimes);
  push_one_picture(site, 60);
  const auto daemon = site.start(small_network(
      {"loader.jitter_strength=0.1",
       "swav.epsilon=0.03",
       "schedule.learning_rate=1.0"}));
  ASSERT_TRUE(site.wait_for_state(*daemon, "paused"));

  const json status = http_status(site.port()).value_or(json::object());
  EXPECT_EQ(status.at("health").at("verdict"), "collapsing");
  EXPECT_GT(status.at("images"), kChange);
  EXPECT_LE(status.at("images"), kChange + 350 * kBatch);
  const json manifest = snapshot_now(site);
  EXPECT_EQ(manifest.at("health").at("verdict"), "collapsing");
  const json latest = latest_with(store.path() / "main", newest_id(site));
  const json healthy = show_snapshot(
      "file://" + (store.path() / "main").string() + "@" +
      latest.at("healthy").get<std::string>());
  EXPECT_EQ(healthy.at("health").at("verdict"), "healthy");
  EXPECT_GT(healthy.at("images"), kChange / 2);
  EXPECT_LT(healthy.at("images"), manifest.at("images"));
}

/// SHA-256 of the files that hold what was learnt, by name.
std::map<std::string, std::string> learnt(const json& manifest) {
  std::map<std::string, std::string> digests;
  for (const json& file : manifest.at("files")) {
    const auto name = file.at("name").get<std::string>();
    if (name.ends_with(".safetensors")) {
      digests[name] = file.at("sha256").get<std::string>();
    }
  }
  return digests;
}

TEST(NonFiniteSteps, ChangeNothingAndPauseAfterTenInARow) {
  SiteOptions options;
  options.preset = "tiny";
  options.every_steps = 1000;
  Site site(options);
  fill_folder(site.path("images"), 20 * kBatch, 0);
  push(site.stream_url(), site.path("images"));
  // Scores divided by this are infinite, and the loss is no number.
  const auto settings = small_network({"swav.temperature=1e-39"});
  const auto daemon = site.start(settings);
  ASSERT_TRUE(site.wait_for_state(*daemon, "paused"));
  const json status = http_status(site.port()).value_or(json::object());
  EXPECT_TRUE(status.at("why").get<std::string>().starts_with(
      "skipped_steps: 10 steps skipped in a row, the last for nonfinite_loss"))
      << status.at("why");
  EXPECT_EQ(status.at("step"), 0);
  EXPECT_EQ(status.at("skipped"), 10 * kBatch);
  const std::string shown = metrics(site);
  for (const char* line :
       {"swavd_train_skipped_steps_total{reason=\"nonfinite_loss\"} 10\n",
        "swavd_train_pauses_total{reason=\"skipped_steps\"} 1\n"}) {
    EXPECT_NE(shown.find(line), std::string::npos) << line;
  }

  const json manifest = snapshot_now(site);
  EXPECT_EQ(manifest.at("step"), 0);
  EXPECT_EQ(manifest.at("ledger").at("count"), 10 * kBatch);
  int skipped = 0;
  for (const json& position : manifest.at("positions")) {
    EXPECT_EQ(position.at("trained"), 0);
    skipped += position.at("skipped").get<int>();
  }
  EXPECT_EQ(skipped, 10 * kBatch);
  std::vector<std::string> init = {
      "init", "--config", site.config(), "--out", site.path("untouched")};
  init.insert(init.end(), settings.begin(), settings.end());
  const Finished made = run_program("swavd", init);
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(
      learnt(manifest),
      learnt(read_json(site.path("untouched/manifest.json"))));
}

}  // namespace
}  // namespace swavd::e2e
