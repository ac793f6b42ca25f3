#include "state/snapshot_ref.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/object_store.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::HasSubstr;

SnapshotInfo info(const std::string& id, const std::string& verdict) {
  SnapshotInfo one;
  one.id = id;
  one.step = std::stoull(id);
  one.verdict = verdict;
  return one;
}

TEST(ParseRef, SplitsPlaceAndId) {
  EXPECT_EQ(parse_ref("/data/main").place, "/data/main");
  EXPECT_EQ(parse_ref("/data/main").id, "");
  const SnapshotRef both = parse_ref("file:///m/main@000000001200-ba7816bf");
  EXPECT_EQ(both.place, "file:///m/main");
  EXPECT_EQ(both.id, "000000001200-ba7816bf");
  EXPECT_EQ(parse_ref("/data@0000").id, "0000");
  EXPECT_EQ(parse_ref("s3://bucket/run@12").place, "s3://bucket/run");
}

TEST(ParseRef, LeavesOtherAtSignsInThePath) {
  EXPECT_EQ(parse_ref("/srv/me@host/run").place, "/srv/me@host/run");
  EXPECT_EQ(parse_ref("/srv/run@Work").place, "/srv/run@Work");
  EXPECT_EQ(parse_ref("/srv/run@").place, "/srv/run@");
}

TEST(ChooseSnapshot, TakesTheNewestHealthyElseTheNewest) {
  EXPECT_EQ(
      choose_snapshot(
          {info("000000000001-aa", "healthy"),
           info("000000000002-bb", "healthy"),
           info("000000000003-cc", "collapsing")},
          "")
          .value(),
      "000000000002-bb");
  EXPECT_EQ(
      choose_snapshot(
          {info("000000000001-aa", "starting"),
           info("000000000002-bb", "stuck"),
           info("000000000003-cc", std::string(kUnreadable))},
          "")
          .value(),
      "000000000002-bb");
  EXPECT_EQ(choose_snapshot({}, "").error().code, ErrorCode::kNotFound);
}

TEST(ChooseSnapshot, FindsAUniquePrefixOrAStep) {
  const std::vector<SnapshotInfo> list = {
      info("000000000010-aa", "healthy"),
      info("000000000100-bb", "stuck"),
      info("000000000100-bc", "stuck"),
      info("000000000200-dd", "stuck")};
  EXPECT_EQ(choose_snapshot(list, "000000000010").value(), "000000000010-aa");
  EXPECT_EQ(
      choose_snapshot(list, "000000000100-bc").value(), "000000000100-bc");
  EXPECT_EQ(choose_snapshot(list, "200").value(), "000000000200-dd");
  const auto several = choose_snapshot(list, "000000000100");
  ASSERT_FALSE(several.ok());
  EXPECT_EQ(several.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(several.error().message, HasSubstr("000000000100-bb, "));
  EXPECT_EQ(choose_snapshot(list, "100").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(choose_snapshot(list, "7").error().code, ErrorCode::kNotFound);
}

class OpenCatalogTest : public testing::Test {
 protected:
  OpenCatalogTest() {
    auto store = open_local_store(small_store(folder_ / "data/snapshots"));
    SWAVD_CHECK(store.ok());
    id_ =
        store.value()->commit(sample_manifest(1), sample_state(10, 1)).value();
    auto remote = open_object_store("file://" + folder_ / "models");
    SWAVD_CHECK(remote.ok());
    auto reader = store.value()->open(id_);
    SWAVD_CHECK(reader.ok());
    SWAVD_CHECK(
        open_remote_run(*remote.value(), "main")->upload(*reader.value()).ok());
    SWAVD_CHECK(
        pull(*reader.value(), folder_ / "pulled", PullFiles::kAll).ok());
  }

  void expect_found(const std::string& place) const {
    auto opened = open_snapshot(place);
    ASSERT_TRUE(opened.ok()) << place << ": " << opened.error().message;
    EXPECT_EQ(opened.value().reader->id(), id_) << place;
    EXPECT_TRUE(verify(*opened.value().reader).ok()) << place;
  }

  TemporaryFolder folder_;
  std::string id_;
};

TEST_F(OpenCatalogTest, RecognisesEveryKindOfPlace) {
  expect_found(folder_ / "data");
  expect_found(folder_ / "data/");
  expect_found(folder_ / "data/snapshots");
  expect_found("file://" + folder_ / "data");
  expect_found(folder_ / "models");
  expect_found(folder_ / "models/main");
  expect_found("file://" + folder_ / "models/main");
  expect_found(folder_ / "pulled");
  expect_found(folder_ / ("models/main/snapshots/" + id_));
  expect_found(folder_ / ("data@" + id_));
  expect_found(folder_ / "models/main@10");
}

TEST_F(OpenCatalogTest, SaysWhatItLookedForWhenNothingIsThere) {
  std::filesystem::create_directory(folder_ / "empty");
  const auto nothing = open_catalog(folder_ / "empty");
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(nothing.error().message, HasSubstr("manifest.json"));
  EXPECT_EQ(
      open_catalog(folder_ / "absent").error().code, ErrorCode::kNotFound);
  // Looking leaves no trace.
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "empty"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "absent"));
}

TEST_F(OpenCatalogTest, SeveralRunsMustBeToldApart) {
  auto remote = open_object_store("file://" + folder_ / "models");
  ASSERT_TRUE(remote.ok());
  auto opened = open_snapshot(folder_ / "pulled");
  ASSERT_TRUE(opened.ok());
  ASSERT_TRUE(open_remote_run(*remote.value(), "other")
                  ->upload(*opened.value().reader)
                  .ok());
  const auto catalog = open_catalog(folder_ / "models");
  ASSERT_FALSE(catalog.ok());
  EXPECT_EQ(catalog.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(catalog.error().message, HasSubstr("main, other"));
  expect_found(folder_ / "models/main");
}

TEST_F(OpenCatalogTest, UnknownSchemesAreRefused) {
  EXPECT_EQ(
      open_catalog("ftp://host/x").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace swavd::state
