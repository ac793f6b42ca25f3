// The remote tier on a folder: what lies there, and a start from it alone.

#include <filesystem>
#include <fstream>
#include <string>

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

class ObjectStore : public ::testing::Test {
 protected:
  [[nodiscard]] static SiteOptions with_store(const fs::path& folder) {
    SiteOptions options;
    options.object_store = "file://" + folder.string();
    return options;
  }

  void add_images(std::uint64_t images, std::uint64_t first_seed) {
    const std::string folder = site_.path("in" + std::to_string(first_seed));
    fill_folder(folder, images, 0, first_seed);
    push(site_.stream_url(), folder);
  }

  /// A run of `images` images, drained: everything is uploaded.
  void train(std::uint64_t images, std::uint64_t first_seed) {
    add_images(images, first_seed);
    trained_ += images;
    const auto daemon = site_.start_training();
    ASSERT_TRUE(site_.wait_for_images(*daemon, trained_));
    ASSERT_EQ(Site::drain(*daemon), 0);
  }

  [[nodiscard]] fs::path run_folder() const {
    return store_.path() / "models" / "main";
  }

  [[nodiscard]] std::string run_url() const {
    return "file://" + run_folder().string();
  }

  ingest::testing::TempFolder store_;
  Site site_{with_store(store_.path() / "models")};
  std::uint64_t trained_ = 0;
};

TEST_F(ObjectStore, HoldsEverySnapshotWithItsLineageAndLatest) {
  train(9 * 16, 0);
  const json local = list_snapshots(site_.data_dir());
  const json remote = list_snapshots(run_url());
  EXPECT_EQ(remote, local);
  EXPECT_GE(remote.size(), 2U);  // one after three steps, one by the drain
  EXPECT_EQ(remote.back().at("step"), 9);
  for (const json& snapshot : remote) {
    const auto id = snapshot.at("id").get<std::string>();
    EXPECT_TRUE(fs::exists(run_folder() / "snapshots" / id / "manifest.json"));
    EXPECT_EQ(swavctl({"snapshots", "verify", run_url() + "@" + id}).status, 0);
  }
  const json latest =
      json::parse(read_text(run_folder() / "latest.json"), nullptr, false);
  ASSERT_TRUE(latest.is_object());
  EXPECT_NE(
      latest.dump().find(remote.back().at("id").get<std::string>()),
      std::string::npos)
      << latest;
}

TEST_F(ObjectStore, AloneIsEnoughToGoOnFrom) {
  train(6 * 16, 0);
  const json before = newest_snapshot(run_url());
  fs::remove_all(site_.data_dir() + "/snapshots");
  train(6 * 16, 1000);
  const json after = newest_snapshot(site_.data_dir());
  EXPECT_EQ(after.at("step"), 12);
  EXPECT_GT(after.at("generation"), before.at("generation"));
  const Topic topic = read_topic(site_.stream_url());
  EXPECT_EQ(expect_exact(after, topic).count, records_of(topic));
  expect_unbroken_line(list_snapshots(run_url()));
}

TEST_F(ObjectStore, DamagedSnapshotIsPassedOverAtTheStart) {
  train(6 * 16, 0);
  const json remote = list_snapshots(run_url());
  fs::remove_all(site_.data_dir() + "/snapshots");
  const auto newest = remote.back().at("id").get<std::string>();
  const fs::path file =
      run_folder() / "snapshots" / newest / "model.safetensors";
  ASSERT_TRUE(fs::exists(file));
  fs::resize_file(file, fs::file_size(file) - 1);
  // It trains again what only the damaged one had, and no commit number is
  // used twice.
  train(3 * 16, 1000);
  const json after = newest_snapshot(site_.data_dir());
  EXPECT_EQ(after.at("step"), 9);
  EXPECT_GT(after.at("commit"), remote.back().at("commit"));
  const Topic topic = read_topic(site_.stream_url());
  EXPECT_EQ(expect_exact(after, topic).count, records_of(topic));
}

TEST_F(ObjectStore, DaemonWhoseRunWasTakenOverExits76) {
  const auto first = site_.start_training();
  add_images(3 * 16, 0);
  ASSERT_TRUE(site_.wait_for_images(*first, 48));
  ASSERT_TRUE(wait_until(
      kPatience, [this] { return fs::exists(run_folder() / "latest.json"); }));
  ASSERT_EQ(swavctl({"pause", "--socket", site_.socket()}).status, 0);
  ASSERT_TRUE(site_.wait_for_state(*first, "paused"));

  SiteOptions options = with_store(store_.path() / "models");
  options.stream_url = site_.stream_url();
  Site other(options);  // as on another machine: the store is all they share
  const auto second = other.start_training(
      {"--take-over", "--set", "stream.dead_letter=\"off\""});
  add_images(6 * 16, 1000);
  ASSERT_TRUE(other.wait_for_images(*second, 9 * 16));
  ASSERT_EQ(Site::drain(*second), 0);

  // Its next heartbeat tells it, though it does nothing.
  EXPECT_EQ(first->wait(kPatience), 76) << first->err();
  const json newest = newest_snapshot(run_url());
  EXPECT_EQ(newest.at("id"), newest_snapshot(other.data_dir()).at("id"));
  expect_exact(newest, read_topic(site_.stream_url()));
  expect_unbroken_line(list_snapshots(run_url()));
}

TEST_F(ObjectStore, PullOfAFlippedByteIsRefusedAndLeavesNoFolder) {
  train(3 * 16, 0);
  const auto id = list_snapshots(run_url()).back().at("id").get<std::string>();
  const std::string ref = run_url() + "@" + id;
  const std::string good = site_.path("good");
  ASSERT_EQ(swavctl({"snapshots", "pull", ref, good}).status, 0);
  EXPECT_TRUE(fs::exists(good + "/model.safetensors"));
  EXPECT_TRUE(fs::exists(good + "/manifest.json"));

  const fs::path file = run_folder() / "snapshots" / id / "model.safetensors";
  std::string bytes = read_text(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(file, std::ios::binary) << bytes;
  const std::string bad = site_.path("bad");
  const Finished pulled = swavctl({"snapshots", "pull", ref, bad});
  EXPECT_EQ(pulled.status, 74);
  EXPECT_NE(pulled.err.find("model.safetensors"), std::string::npos)
      << pulled.err;
  EXPECT_FALSE(fs::exists(bad));
  EXPECT_EQ(swavctl({"snapshots", "verify", ref}).status, 74);
}

}  // namespace
}  // namespace swavd::e2e
