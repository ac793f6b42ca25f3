// Weights out and in, through the commands: what `snapshots export` writes is
// what a run begins with, to the byte.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::e2e {
namespace {

using ingest::testing::TempFolder;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Weights : public ::testing::Test {
 protected:
  void SetUp() override {
    config_ = folder_.write_lines(
        "swavd.toml",
        {"run = \"main\"",
         "data_dir = \"" + at("data") + "\"",
         "[model]",
         "preset = \"tiny\"",
         "[swav]",
         "prototypes = 20",
         "[http]",
         "listen = \"\""});
  }

  [[nodiscard]] std::string at(const std::string& name) const {
    return (folder_.path() / name).string();
  }

  [[nodiscard]] std::string read(const std::string& name) const {
    return read_text(at(name));
  }

  /// `swavd init` into `out` with further settings.
  Finished init(
      const std::string& out,
      const std::vector<std::string>& settings) const {
    std::vector<std::string> words = {
        "init", "--config", config_, "--out", at(out)};
    for (const std::string& setting : settings) {
      words.insert(words.end(), {"--set", setting});
    }
    return run_program("swavd", words);
  }

  /// A snapshot of step 0 that must come about.
  void must_init(
      const std::string& out,
      const std::vector<std::string>& settings) const {
    const Finished finished = init(out, settings);
    ASSERT_EQ(finished.status, 0) << finished.err;
  }

  Finished export_to(
      const std::string& from,
      const std::string& layout,
      const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {
        "snapshots", "export", at(from), at(layout), "--layout", layout};
    words.insert(words.end(), more.begin(), more.end());
    return swavctl(words);
  }

  /// The setting that names a file or folder of weights.
  [[nodiscard]] std::string init_from(const std::string& name) const {
    return "model.init_from=" + at(name);
  }

  [[nodiscard]] json origin_of(const std::string& snapshot) const {
    return json::parse(read(snapshot + "/manifest.json"))
        .value("origin", json());
  }

  TempFolder folder_;
  std::string config_;
};

TEST_F(Weights, OutAndInAgainAreTheSameFilesInEveryLayout) {
  must_init("first", {"model.seed=1"});
  for (const std::string layout : {"hf", "torchvision", "timm", "vissl"}) {
    const Finished exported =
        export_to("first", layout, {"--with-head", "--json"});
    ASSERT_EQ(exported.status, 0) << exported.err;
    EXPECT_EQ(json::parse(exported.out).at("layout"), layout);
    const std::string second = "from-" + layout;
    const Finished begun = init(second, {"model.seed=2", init_from(layout)});
    ASSERT_EQ(begun.status, 0) << begun.err;
    for (const char* file : {"/model.safetensors", "/head.safetensors"}) {
      EXPECT_TRUE(read("first" + std::string(file)) == read(second + file))
          << layout << file;
    }
    EXPECT_THAT(begun.err, HasSubstr(layout + " names, 2 files"));
    EXPECT_THAT(begun.err, HasSubstr("prototypes: 1 of 1 tensors match"));
    const json origin = origin_of(second);
    EXPECT_EQ(origin.at("init_from"), at(layout));
    EXPECT_EQ(origin.at("layout"), layout);
    EXPECT_EQ(origin.at("head"), true);
    EXPECT_EQ(
        origin.at("files").at(0).at("sha256"),
        sha256_hex(as_bytes(read(layout + "/model.safetensors"))));
  }
  EXPECT_EQ(origin_of("first"), json());
}

TEST_F(Weights, TwoSetsOfPrototypesComeBackToTheByte) {
  const std::string sets = "swav.prototypes=[20, 30]";
  must_init("first", {"model.seed=1", sets});
  for (const std::string layout : {"hf", "vissl"}) {
    ASSERT_EQ(export_to("first", layout, {"--with-head"}).status, 0);
    const std::string second = "from-" + layout;
    const Finished begun =
        init(second, {"model.seed=2", sets, init_from(layout)});
    ASSERT_EQ(begun.status, 0) << begun.err;
    EXPECT_THAT(begun.err, HasSubstr("prototypes: 2 of 2 tensors match"));
    EXPECT_TRUE(
        read("first/head.safetensors") == read(second + "/head.safetensors"))
        << layout;
  }
}

TEST_F(Weights, ATrunkAloneLeavesTheHeadAtRandom) {
  must_init("first", {"model.seed=1"});
  must_init("other", {"model.seed=2"});
  ASSERT_EQ(export_to("first", "timm").status, 0);
  const Finished begun =
      init("second", {"model.seed=2", init_from("timm/model.safetensors")});
  ASSERT_EQ(begun.status, 0) << begun.err;
  EXPECT_TRUE(
      read("second/model.safetensors") == read("first/model.safetensors"));
  EXPECT_TRUE(
      read("second/head.safetensors") == read("other/head.safetensors"));
  EXPECT_THAT(begun.err, HasSubstr("head: the file has none"));
  EXPECT_EQ(origin_of("second").at("head"), false);
}

TEST_F(Weights, ValidatePrintsWhatARunWouldTake) {
  must_init("first", {"model.seed=1"});
  const Finished good = run_program(
      "swavd", {"validate", "--config", config_, "--set", init_from("first")});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("hf names, 2 files"));
  EXPECT_THAT(good.out, HasSubstr("trunk: "));
  EXPECT_THAT(good.out, HasSubstr("valid"));
}

TEST_F(Weights, ValidateNamesATrunkThatDoesNotFitAndExits78) {
  must_init("first", {"model.seed=1"});
  ASSERT_EQ(export_to("first", "timm").status, 0);
  const Finished bad = run_program(
      "swavd",
      {"validate",
       "--config",
       config_,
       "--set",
       init_from("timm"),
       "--set",
       "model.w0=32"});
  EXPECT_EQ(bad.status, 78);
  EXPECT_THAT(bad.out, Not(HasSubstr("valid")));
  EXPECT_THAT(bad.err, HasSubstr("model.init_from: " + at("timm")));
  EXPECT_THAT(bad.err, HasSubstr("24, 56, 152, 368"));
  // A run and an init fail the same way, before the first step.
  const Finished begun = init("second", {init_from("timm"), "model.w0=32"});
  EXPECT_EQ(begun.status, 78) << begun.err;
  EXPECT_FALSE(std::filesystem::exists(at("second")));
}

TEST_F(Weights, ValidateNamesTheLineOfAPickle) {
  const std::string file = folder_.write_lines(
      "pickle.toml",
      {"data_dir = \"" + at("data") + "\"",
       "[model]",
       "init_from = \"/models/seer_regnet32.torch\""});
  const Finished bad = run_program("swavd", {"validate", "--config", file});
  EXPECT_EQ(bad.status, 78);
  EXPECT_THAT(bad.err, HasSubstr(file + ":3: model.init_from: "));
  EXPECT_THAT(bad.err, HasSubstr("ops/docs/weights.md"));
}

TEST_F(Weights, ExportOfALedgerOrIntoAFullFolderSaysWhy) {
  must_init("ledger", {"model.trainer=ledger"});
  const Finished ledger = export_to("ledger", "timm");
  EXPECT_EQ(ledger.status, 64);
  EXPECT_THAT(ledger.err, HasSubstr("no model"));
  must_init("first", {});
  ASSERT_EQ(export_to("first", "timm").status, 0);
  const Finished again = export_to("first", "timm");
  EXPECT_EQ(again.status, 64);
  EXPECT_THAT(again.err, HasSubstr("not empty"));
  const Finished unknown = swavctl(
      {"snapshots", "export", at("first"), at("x"), "--layout", "keras"});
  EXPECT_EQ(unknown.status, 64);
  EXPECT_THAT(unknown.err, HasSubstr("torchvision"));
}

TEST_F(Weights, ARunBeginsWithThemAndEverySnapshotTellsOfThem) {
  SiteOptions options;
  options.preset = "tiny";
  options.every_steps = 1;
  options.more = "[precision]\nthreads = 2\n";
  Site site(options);
  must_init("first", {"model.seed=1", "swav.prototypes=300"});
  fill_folder(site.path("images"), 128, 0);
  push(site.stream_url(), site.path("images"));
  const std::vector<std::string> with_weights = {"--set", init_from("first")};
  {
    const auto daemon = site.start_training(with_weights);
    ASSERT_TRUE(site.wait_for_images(*daemon, 64, 4 * kPatience));
    ASSERT_EQ(Site::drain(*daemon), 0);
    EXPECT_THAT(daemon->err(), HasSubstr("hf names, 2 files"));
  }
  // The file is needed once only, and the next process tells it the same.
  std::filesystem::remove_all(at("first"));
  const json before = show_snapshot(site.data_dir()).at("origin");
  EXPECT_EQ(before.at("init_from"), at("first"));
  fill_folder(site.path("more"), 128, 0, 1000);
  push(site.stream_url(), site.path("more"));
  const auto daemon = site.start_training(with_weights);
  ASSERT_TRUE(site.wait_for_images(*daemon, 192, 4 * kPatience));
  ASSERT_EQ(Site::drain(*daemon), 0);
  EXPECT_THAT(daemon->err(), HasSubstr("init_from is for a new run"));
  for (const json& listed : list_snapshots(site.data_dir())) {
    const auto id = listed.at("id").get<std::string>();
    EXPECT_EQ(show_snapshot(site.data_dir() + "@" + id).at("origin"), before);
  }
}

}  // namespace
}  // namespace swavd::e2e
