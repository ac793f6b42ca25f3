#include "state/snapshot_commands.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class SnapshotCommandsTest : public testing::Test {
 protected:
  SnapshotCommandsTest() {
    auto store = open_local_store(small_store(folder_ / "data/snapshots"));
    SWAVD_CHECK(store.ok());
    store_ = std::move(store).value();
    first_ = commit(1);
    second_ = commit(2);
  }

  std::string commit(std::uint64_t number) {
    return store_
        ->commit(sample_manifest(number), sample_state(number * 10, number))
        .value();
  }

  TemporaryFolder folder_;
  std::unique_ptr<SnapshotStore> store_;
  std::string first_;
  std::string second_;
};

TEST_F(SnapshotCommandsTest, ListShowsARowASnapshot) {
  const auto text = list_command(folder_ / "data", OutputFormat::kText);
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_THAT(text.value(), HasSubstr("ID"));
  EXPECT_THAT(text.value(), HasSubstr(first_));
  EXPECT_THAT(text.value(), HasSubstr(second_));
  EXPECT_EQ(std::count(text.value().begin(), text.value().end(), '\n'), 3);
  const auto parsed = json::parse(
      list_command(folder_ / "data@1", OutputFormat::kJson).value());
  ASSERT_EQ(parsed.size(), 2U);
  EXPECT_EQ(parsed[1]["id"], second_);
  EXPECT_EQ(parsed[1]["step"], 20);
  EXPECT_EQ(parsed[1]["health"], "healthy");
  EXPECT_EQ(parsed[1]["created"], "2025-11-24T16:00:00.125Z");
}

TEST_F(SnapshotCommandsTest, ShowGivesTheManifest) {
  const auto text = show_command(folder_ / "data", OutputFormat::kText);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(text.value(), HasSubstr("snapshot    " + second_));
  EXPECT_THAT(text.value(), HasSubstr("model.safetensors"));
  const auto parsed = json::parse(
      show_command(folder_ / ("data@" + first_), OutputFormat::kJson).value());
  EXPECT_EQ(parsed["id"], first_);
  EXPECT_EQ(parsed["format"], "swavd-snapshot/1");
  EXPECT_EQ(parsed["positions"][0]["next"], 7);
}

TEST_F(SnapshotCommandsTest, VerifySaysOkForEachFile) {
  const auto report = verify_command(folder_ / "data", OutputFormat::kText);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report.value().outcome.ok());
  EXPECT_THAT(report.value().text, HasSubstr("ok     manifest.json\n"));
  EXPECT_THAT(report.value().text, HasSubstr("ok     state.safetensors\n"));
  EXPECT_THAT(report.value().text, HasSubstr(second_ + " is whole\n"));
}

TEST_F(SnapshotCommandsTest, VerifyNamesTheBadFileAndFails) {
  ASSERT_TRUE(pull_command(
                  folder_ / "data",
                  folder_ / "got",
                  PullFiles::kConsumers,
                  OutputFormat::kText)
                  .ok());
  auto report = verify_command(folder_ / "got", OutputFormat::kText);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report.value().outcome.ok());
  EXPECT_THAT(
      report.value().text,
      HasSubstr("absent state.safetensors: pulled without it\n"));
  damage(folder_ / "got/model.safetensors", 700);
  report = verify_command(folder_ / "got", OutputFormat::kText);
  ASSERT_TRUE(report.ok());
  ASSERT_FALSE(report.value().outcome.ok());
  EXPECT_EQ(report.value().outcome.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(report.value().text, HasSubstr("BAD    model.safetensors: "));
  EXPECT_THAT(report.value().text, HasSubstr("is damaged: 1 of 6 files\n"));
  const auto parsed = json::parse(
      verify_command(folder_ / "got", OutputFormat::kJson).value().text);
  EXPECT_EQ(parsed["ok"], false);
  EXPECT_EQ(parsed["files"][3]["name"], "model.safetensors");
  EXPECT_EQ(parsed["files"][3]["result"], "BAD");
}

TEST_F(SnapshotCommandsTest, PullSaysWhatCame) {
  const auto text = pull_command(
      folder_ / "data", folder_ / "got", PullFiles::kAll, OutputFormat::kText);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(text.value(), HasSubstr("pulled " + second_ + " into "));
  EXPECT_THAT(text.value(), HasSubstr("6 files"));
  const auto parsed = json::parse(pull_command(
                                      folder_ / ("data@" + first_),
                                      folder_ / "got",
                                      PullFiles::kConsumers,
                                      OutputFormat::kJson)
                                      .value());
  EXPECT_EQ(parsed["id"], first_);
  EXPECT_EQ(parsed["files"].size(), 4U);
}

TEST_F(SnapshotCommandsTest, PinIsSetShownAndTakenOff) {
  const std::string ref = folder_ / ("data@" + first_);
  EXPECT_THAT(
      pin_command(ref, PinChange::kPin, OutputFormat::kText).value(),
      HasSubstr(first_ + " is pinned"));
  const auto listed =
      json::parse(list_command(ref, OutputFormat::kJson).value());
  EXPECT_EQ(listed[0]["pinned"], true);
  EXPECT_EQ(listed[1]["pinned"], false);
  EXPECT_THAT(
      list_command(ref, OutputFormat::kText).value(), HasSubstr(", pinned\n"));
  EXPECT_THAT(
      show_command(ref, OutputFormat::kText).value(),
      HasSubstr("pinned      yes\n"));
  EXPECT_EQ(
      pin_command(ref, PinChange::kRemove, OutputFormat::kJson).value(),
      R"({"id":")" + first_ + "\",\"pinned\":false}\n");
  EXPECT_EQ(
      json::parse(show_command(ref, OutputFormat::kJson).value())["pinned"],
      false);
  EXPECT_EQ(
      pin_command(folder_ / "data", PinChange::kPin, OutputFormat::kText)
          .error()
          .code,
      ErrorCode::kInvalidArgument);
}

TEST_F(SnapshotCommandsTest, ErrorsOfThePlaceComeThrough) {
  EXPECT_EQ(
      list_command(folder_ / "absent", OutputFormat::kText).error().code,
      ErrorCode::kNotFound);
  EXPECT_EQ(
      show_command(folder_ / "data@999", OutputFormat::kText).error().code,
      ErrorCode::kNotFound);
}

}  // namespace
}  // namespace swavd::state
