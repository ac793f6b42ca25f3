// `swavd eval`, on a small untrained network and on pictures that a child could
// sort: what the commands print and what they refuse.

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/dedup_free_loader/tar_files.h"
#include "tests/e2e/images.h"
#include "tests/e2e/process.h"
#include "tests/e2e/site.h"
#include "tests/e2e/small_network.h"
#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Evaluation : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::string> arguments = {"init", "--out", path("snapshot")};
    for (const std::string& flag : small_network()) {
      arguments.push_back(flag);
    }
    const Finished made = run_program("swavd", arguments);
    if (made.status == kUnavailable) {
      GTEST_SKIP() << "a build without LibTorch has no features";
    }
    ASSERT_EQ(made.status, 0) << made.err;
    write_coloured(path("train"), 40, 0);
    write_coloured(path("test"), 20, 1000);
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_.path() / name).string();
  }

  Finished eval(
      const std::string& what,
      const std::vector<std::string>& more,
      const std::string& train = "train",
      const std::string& test = "test") const {
    std::vector<std::string> arguments = {
        "eval",
        what,
        "--snapshot",
        path("snapshot"),
        "--train",
        path(train),
        "--test",
        path(test)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program("swavd", arguments);
  }

  json report(
      const std::string& what,
      std::vector<std::string> more,
      const std::string& train = "train") const {
    more.emplace_back("--json");
    const Finished finished = eval(what, more, train);
    EXPECT_EQ(finished.status, 0) << finished.err;
    auto parsed = json::parse(finished.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << finished.out;
    return parsed;
  }

  ingest::testing::TempFolder folder_;
};

TEST_F(Evaluation, LinearProbesSortWhatIsSeparable) {
  const json linear = report(
      "linear",
      {"--epochs", "7", "--batch", "24", "--rate", "1", "--confusion"});
  EXPECT_EQ(linear.at("evaluation"), "linear");
  EXPECT_GE(linear.at("top1"), 95);
  EXPECT_EQ(linear.at("heads").size(), 4U);
  EXPECT_EQ(linear.at("train_images"), 120);
  EXPECT_EQ(linear.at("test_images"), 60);
  EXPECT_EQ(linear.at("classes"), 3);
  EXPECT_EQ(linear.at("rejected"), 0);
  EXPECT_EQ(linear.at("steps"), 7 * 5);
  EXPECT_GT(linear.at("pixels_top1"), 95);
  const json& protocol = linear.at("protocol");
  EXPECT_EQ(protocol.at("name"), "vissl-in1k");
  EXPECT_EQ(protocol.at("milestones"), (json{2, 4, 6}));
  EXPECT_EQ(protocol.at("changed").size(), 3U);
  EXPECT_EQ(protocol.at("weight_decay"), 5e-4);
  EXPECT_EQ(protocol.at("nesterov"), true);
  const json& counts = linear.at("confusion").at("counts");
  EXPECT_EQ(
      linear.at("confusion").at("classes"), (json{"blue", "green", "red"}));
  for (const json& row : counts) {
    EXPECT_EQ(row[0].get<int>() + row[1].get<int>() + row[2].get<int>(), 20);
  }
}

TEST_F(Evaluation, TheSameSeedPrintsTheSameReport) {
  const std::vector<std::string> arguments = {
      "--epochs", "2", "--batch", "24", "--rate", "0.1"};
  const json first = report("linear", arguments);
  EXPECT_EQ(report("linear", arguments), first);
  auto other = arguments;
  other.insert(other.end(), {"--seed", "1"});
  EXPECT_NE(report("linear", other).at("loss"), first.at("loss"));
}

TEST_F(Evaluation, LabelsThatSayNothingTeachNothing) {
  std::mt19937_64 numbers(1);
  for (const char* set : {"train", "test"}) {
    const std::string from = path(set);
    const std::string to = path(std::string("shuffled-") + set);
    for (const auto& file :
         std::filesystem::recursive_directory_iterator(from)) {
      if (file.is_regular_file()) {
        const std::string label = fmt::format("{}/{}", to, numbers() % 3);
        std::filesystem::create_directories(label);
        std::filesystem::copy_file(
            file.path(),
            fmt::format(
                "{}/{}-{}",
                label,
                file.path().parent_path().filename().string(),
                file.path().filename().string()));
      }
    }
  }
  const Finished finished = eval(
      "linear",
      {"--cached", "--epochs", "5", "--batch", "24", "--json"},
      "shuffled-train",
      "shuffled-test");
  ASSERT_EQ(finished.status, 0) << finished.err;
  // Four standard errors of 60 answers around a third.
  for (const json& head : json::parse(finished.out).at("heads")) {
    EXPECT_NEAR(head.at("top1").get<double>(), 33.3, 4 * 6.1) << head;
  }
}

TEST_F(Evaluation, CachedFeaturesLearnTheSameAndSayWhatDiffers) {
  const json cached = report(
      "linear", {"--cached", "--epochs", "10", "--batch", "24", "--rate", "1"});
  EXPECT_GE(cached.at("top1"), 95);
  EXPECT_THAT(
      cached.at("protocol").at("augmentation").get<std::string>(),
      HasSubstr("none"));
  const Finished too_small = eval("linear", {"--cached", "--cache-bytes", "9"});
  EXPECT_EQ(too_small.status, 64);
  EXPECT_THAT(too_small.err, HasSubstr("smaller --batch"));
  const Finished no_room =
      eval("linear", {"--cached", "--cache-bytes", "9", "--batch", "24"});
  EXPECT_EQ(no_room.status, 64);
  EXPECT_THAT(no_room.err, HasSubstr("--cache-bytes allows 9"));
}

TEST_F(Evaluation, LowShotTrainsOnEquallyManyOfEachClass) {
  const json low_shot = report(
      "low-shot",
      {"--fraction", "0.1", "--batch", "6", "--epochs", "20", "--rate", "1"});
  EXPECT_EQ(low_shot.at("train_images"), 12);
  EXPECT_EQ(low_shot.at("least_per_class"), 4);
  EXPECT_EQ(low_shot.at("most_per_class"), 4);
  EXPECT_EQ(low_shot.at("protocol").at("fraction"), 0.1);
  EXPECT_GE(low_shot.at("top1"), 80);
  const Finished other = eval(
      "low-shot", {"--fraction", "0.5", "--protocol", "swav", "--batch", "6"});
  EXPECT_EQ(other.status, 64);
  EXPECT_THAT(other.err, HasSubstr("0.01 or 0.1"));
}

TEST_F(Evaluation, FineTuningPrintsItsFigureBesideThatOfThePixels) {
  const Finished tuned = eval(
      "finetune",
      {"--protocol",
       "seer",
       "--epochs",
       "4",
       "--batch",
       "24",
       "--rate",
       "0.5",
       "--confusion"});
  ASSERT_EQ(tuned.status, 0) << tuned.err;
  EXPECT_THAT(tuned.out, HasSubstr("finetune, protocol seer but for epochs 4"));
  EXPECT_THAT(tuned.out, HasSubstr("raw pixels"));
  EXPECT_THAT(tuned.out, HasSubstr("60 test images"));
  EXPECT_THAT(tuned.out, HasSubstr("true \\ answer"));
  EXPECT_EQ(tuned.err, "");
}

TEST_F(Evaluation, KnnTellsWhichClassWasTakenForWhich) {
  const json knn = report("knn", {"--bank", "60", "--confusion"});
  EXPECT_EQ(knn.at("bank"), 60);  // evenly spread: 20 of each colour
  EXPECT_GE(knn.at("top1"), 95);
  EXPECT_EQ(knn.at("confusion").at("counts").size(), 3U);
}

TEST_F(Evaluation, RefusesImagesItCannotLearnFrom) {
  const auto refused = [this](
                           const std::string& train,
                           const std::string& test,
                           const std::string& words) {
    for (const char* what : {"linear", "finetune"}) {
      const Finished finished = eval(what, {"--batch", "4"}, train, test);
      EXPECT_EQ(finished.status, 64) << what;
      EXPECT_THAT(finished.err, HasSubstr(words)) << what;
      EXPECT_EQ(finished.out, "");
    }
  };
  refused("train/red", "test", "lie in no folder");
  write_coloured(path("one"), 3, 0, 1);
  refused("one", "test", "one class");
  std::filesystem::create_directories(path("odd/violet"));
  std::filesystem::copy_file(
      path("test/red/1000.png"), path("odd/violet/1.png"));
  refused("train", "odd", "violet");
  const Finished nowhere = eval("linear", {}, "nowhere");
  EXPECT_NE(nowhere.status, 0);
  EXPECT_THAT(nowhere.err, HasSubstr("nowhere"));
}

TEST_F(Evaluation, FilesThatDoNotDecodeAreCounted) {
  std::ofstream(path("test/red/broken.png")) << "no image";
  std::ofstream(path("train/blue/broken.png")) << "no image";
  const json linear = report("linear", {"--batch", "24", "--epochs", "1"});
  EXPECT_EQ(linear.at("rejected"), 2);
  EXPECT_EQ(linear.at("train_images"), 121);
  EXPECT_EQ(linear.at("test_images"), 60);
}

TEST_F(Evaluation, ReadsPhotographsFromTarFiles) {
  const auto cifar = loader::testing::test_data("cifar10-train.tar");
  if (cifar.empty()) {
    GTEST_SKIP() << "set SWAVD_TEST_DATA to a folder with cifar10-train.tar";
  }
  const std::string script = fmt::format(
      "cd '{0}' && mkdir cifar && tar -C cifar -xf '{1}' && cd cifar && "
      "ls -1d */*.jpg | awk 'NR % 100 == 1' | tar -cf ../some.tar -T - && "
      "ls -1d */*.jpg | awk 'NR % 100 == 2' | tar -cf ../others.tar -T -",
      folder_.path().string(),
      cifar.string());
  ASSERT_EQ(std::system(script.c_str()), 0);
  const Finished finished = eval(
      "linear",
      {"--epochs", "1", "--batch", "50", "--json"},
      "some.tar",
      "others.tar");
  ASSERT_EQ(finished.status, 0) << finished.err;
  const json linear = json::parse(finished.out);
  EXPECT_EQ(linear.at("classes"), 10);
  EXPECT_EQ(linear.at("test_images"), 500);
  EXPECT_EQ(linear.at("steps"), 10);
}

}  // namespace
}  // namespace swavd::e2e
