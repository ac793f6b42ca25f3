// `swavd anneal`: a branch that the run it leaves does not notice.

#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <numbers>
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

/// Everything below a folder: kind, time of the last change, content.
std::map<std::string, std::string> tree_of(const std::string& folder) {
  std::map<std::string, std::string> tree;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(folder)) {
    const bool file = entry.is_regular_file();
    tree[entry.path().string()] = fmt::format(
        "{} {} {}",
        file ? "file" : "other",
        entry.last_write_time().time_since_epoch().count(),
        file ? read_text(entry.path().string()) : "");
  }
  return tree;
}

std::vector<std::string> anneal_arguments(
    const Site& site,
    const std::string& snapshot,
    std::uint64_t images,
    const std::vector<std::string>& more = {}) {
  std::vector<std::string> words = {
      "anneal",
      "--config",
      site.config(),
      "--snapshot",
      snapshot,
      "--images",
      std::to_string(images),
      "--out",
      site.path("branch")};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::uint64_t trained_in(const json& manifest) {
  std::uint64_t images = 0;
  for (const json& position : manifest.at("positions")) {
    images += position.at("trained").get<std::uint64_t>();
  }
  return images;
}

void train(
    Site& site,
    std::uint64_t images,
    std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--stop-after-images", std::to_string(images)});
  const auto daemon = site.start(more);
  ASSERT_EQ(daemon->wait(4 * kPatience), 0) << daemon->err();
}

TEST(Anneal, GoesSoManyImagesOnAndLeavesTheRunAsItWas) {
  Site site;
  fill_folder(site.path("images"), 240, 11);
  push(site.stream_url(), site.path("images"));
  train(site, 96);
  const json parent = newest_snapshot(site.data_dir());
  const auto data = tree_of(site.data_dir());
  const auto stream = tree_of(site.path("stream"));

  // 60 images are four batches of 16 at last.
  const Finished annealed = run_program(
      "swavd",
      anneal_arguments(site, site.data_dir(), 60, {"--end-rate", "0.01"}));
  ASSERT_EQ(annealed.status, 0) << annealed.err;

  EXPECT_EQ(tree_of(site.data_dir()), data);
  EXPECT_EQ(tree_of(site.path("stream")), stream);

  const json branch = show_snapshot(site.path("branch"));
  EXPECT_EQ(branch.at("step"), 10);
  EXPECT_EQ(branch.at("images"), 96 + 64);
  EXPECT_EQ(trained_in(branch), trained_in(parent) + 64);
  EXPECT_EQ(branch.at("parent"), parent.at("id"));
  EXPECT_EQ(branch.at("run"), "main.anneal");
  expect_exact(branch, read_topic(site.stream_url()));
  const auto weights =
      read_ledger_weights(site.path("branch") + "/model.safetensors");
  EXPECT_EQ(weights.count, branch.at("ledger").at("count"));
  EXPECT_EQ(swavctl({"snapshots", "verify", site.path("branch")}).status, 0);

  const json report = json::parse(annealed.out);
  EXPECT_EQ(report.at("snapshot"), branch.at("id"));
  EXPECT_EQ(report.at("parent"), parent.at("id"));
  EXPECT_EQ(report.at("steps"), 4);
  EXPECT_EQ(report.at("images"), 64);
  const double first = report.at("learning_rate").at("first");
  const json mark = {
      {"kind", "anneal"},
      {"run", "main"},
      {"images", 64},
      {"learning_rate", {{"from", first}, {"to", 0.01}}}};
  EXPECT_EQ(branch.at("branch"), mark);
  EXPECT_NE(
      swavctl({"snapshots", "show", site.path("branch")}).out.find("branch  "),
      std::string::npos);
  // The last of four steps along a cosine.
  const double last =
      0.01 + (first - 0.01) / 2 * (1 + std::cos(std::numbers::pi * 3 / 4));
  EXPECT_NEAR(report.at("learning_rate").at("last"), last, 1e-12);
}

TEST(Anneal, WaitsForImagesBesideTheDaemonOfItsRun) {
  Site site;
  fill_folder(site.path("first"), 4 * 16, 0);
  push(site.stream_url(), site.path("first"));
  const auto daemon = site.start_training();
  ASSERT_TRUE(site.wait_for_images(*daemon, 3 * 16));
  ASSERT_TRUE(wait_until(
      kPatience, [&] { return !list_snapshots(site.data_dir()).empty(); }));
  Process branch(
      {"swavd",
       anneal_arguments(site, site.data_dir() + "@3", 5 * 16),
       {},
       site.path("log")});
  ASSERT_TRUE(wait_until(kPatience, [&] {
    return branch.err().find("annealing") != std::string::npos ||
           !branch.running();
  }));
  EXPECT_TRUE(branch.running()) << branch.err();
  fill_folder(site.path("second"), 6 * 16, 0, 1000);
  push(site.stream_url(), site.path("second"));
  EXPECT_EQ(branch.wait(kPatience), 0) << branch.err();
  ASSERT_TRUE(site.wait_for_images(*daemon, 6 * 16));
  ASSERT_EQ(Site::drain(*daemon), 0);
  EXPECT_EQ(show_snapshot(site.path("branch")).at("images"), 8 * 16);
  const Topic topic = read_topic(site.stream_url());
  expect_exact(show_snapshot(site.path("branch")), topic);
  expect_exact(newest_snapshot(site.data_dir()), topic);
  expect_unbroken_line(list_snapshots(site.data_dir()));
}

TEST(Anneal, ToldToEndItWritesNothing) {
  Site site;
  fill_folder(site.path("images"), 5 * 16, 0);
  push(site.stream_url(), site.path("images"));
  train(site, 3 * 16);
  Process branch(
      {"swavd",
       anneal_arguments(site, site.data_dir(), 4 * 16),
       {},
       site.path("log")});
  ASSERT_TRUE(wait_until(kPatience, [&] {
    return branch.err().find("annealing") != std::string::npos;
  })) << branch.err();
  branch.signal(SIGTERM);
  EXPECT_EQ(branch.wait(kPatience), 1);
  EXPECT_NE(branch.err().find("nothing was written"), std::string::npos)
      << branch.err();
  EXPECT_EQ(branch.out(), "");
  EXPECT_FALSE(std::filesystem::exists(site.path("branch")));
  EXPECT_FALSE(std::filesystem::exists(site.path("branch.partial")));
}

TEST(Anneal, MistakesAreToldBeforeAnythingIsTrained) {
  Site site;
  fill_folder(site.path("images"), 3 * 16, 0);
  push(site.stream_url(), site.path("images"));
  train(site, 2 * 16);
  const auto refused = [&](const std::vector<std::string>& more, int status) {
    const Finished finished =
        run_program("swavd", anneal_arguments(site, site.data_dir(), 16, more));
    EXPECT_EQ(finished.status, status) << finished.err;
    return finished.err;
  };
  EXPECT_NE(
      refused({"--end-rate", "1000"}, 64).find("cannot fall"),
      std::string::npos);
  EXPECT_NE(
      refused({"--set", "swav.epsilon=0.5"}, 78).find("swav.epsilon"),
      std::string::npos);
  EXPECT_NE(
      refused({"--set", "model.ema=0.5"}, 78).find("model.ema"),
      std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(site.path("branch")));
  std::filesystem::create_directory(site.path("branch"));
  std::filesystem::copy(site.config(), site.path("branch/notes.toml"));
  EXPECT_NE(refused({}, 64).find("holds something else"), std::string::npos);
}

/// Features of some images, as `swavd embed` writes them.
std::string features_of(
    const Site& site,
    const std::string& snapshot,
    const std::string& weights) {
  const std::string out = site.path("features.safetensors");
  const Finished embedded = run_program(
      "swavd",
      {"embed",
       "--snapshot",
       snapshot,
       "--images",
       site.path("few"),
       "--weights",
       weights,
       "--out",
       out});
  EXPECT_EQ(embedded.status, 0) << embedded.err;
  return read_text(out);
}

TEST(Anneal, PublishesTheWeightsThemselvesWhereTheRunPublishesAnAverage) {
  SiteOptions options;
  options.preset = "tiny";
  options.every_steps = 1'000'000;
  Site site(options);
  const std::vector<std::string> averaging = {"--set", "model.ema=0.9"};
  constexpr std::uint64_t kBatch = 64;  // of the preset
  fill_folder(site.path("images"), 5 * kBatch, 0);
  fill_folder(site.path("few"), 8, 0, 5000);
  push(site.stream_url(), site.path("images"));
  train(site, 3 * kBatch, averaging);
  const Finished annealed = run_program(
      "swavd",
      anneal_arguments(site, site.data_dir(), kBatch, averaging),
      4 * kPatience);
  ASSERT_EQ(annealed.status, 0) << annealed.err;

  const std::string branch = site.path("branch");
  EXPECT_EQ(
      features_of(site, branch, "published"), features_of(site, branch, "raw"));
  EXPECT_NE(
      features_of(site, site.data_dir(), "published"),
      features_of(site, site.data_dir(), "raw"));
  EXPECT_EQ(
      read_text(branch + "/state.safetensors").find("\"raw."),
      std::string::npos);
  // The averages of the run are compared with the weights of the branch.
  const Finished diff =
      swavctl({"snapshots", "diff", site.data_dir(), branch, "--json"});
  ASSERT_EQ(diff.status, 0) << diff.err;
  const json key = {{"key", "model.ema"}, {"a", "0.9"}, {"b", "0.0"}};
  EXPECT_EQ(json::parse(diff.out).at("config"), json::array({key}));
  EXPECT_TRUE(json::parse(diff.out).at("weights").is_array());
}

}  // namespace
}  // namespace swavd::e2e
