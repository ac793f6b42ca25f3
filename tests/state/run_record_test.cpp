#include "state/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace swavd::state {
namespace {

using ::testing::HasSubstr;

RunRecord sample() {
  RunRecord record;
  record.run = "main";
  record.object_store = "s3://models/swavd";
  record.generation = 7;
  record.owner = {"0123456789abcdef", "trainer-1", 4711};
  record.held = true;
  record.beat = 12;
  record.expiry = std::chrono::seconds(60);
  record.renewed_ms = 1763999999000;
  record.newest_id = "000000001200-5a76db50";
  record.newest_commit = 17;
  record.rollbacks = {{4, "000000000900-0a0b0c0d", 2, 9}, {6, "", 0, 0}};
  return record;
}

TEST(RunRecord, ReadsBackWhatItWrites) {
  const std::string text = to_json(sample());
  const auto read = parse_run_record(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  RunRecord again = read.value();
  again.renewed_ms = sample().renewed_ms;  // for people, not read
  EXPECT_EQ(to_json(again), text);
}

TEST(RunRecord, IsWhatTheFormatsPageShows) {
  EXPECT_EQ(
      to_json(sample()),
      R"({"format":"swavd-run/1","run":"main","object_store":"s3://models/swavd","generation":7,"owner":{"id":"0123456789abcdef","host":"trainer-1","pid":4711},"held":true,"beat":12,"expiry_ms":60000,"renewed":"2025-11-24T15:59:59.000Z","newest":{"id":"000000001200-5a76db50","commit":17},"rollbacks":[{"generation":4,"id":"000000000900-0a0b0c0d","start_generation":2,"start_commit":9},{"generation":6,"id":"","start_generation":0,"start_commit":0}]})");
}

TEST(RunRecord, NamesTheFieldThatIsWrong) {
  std::string text = to_json(sample());
  text.replace(text.find("\"held\":true"), 11, "\"held\":1   ");
  const auto read = parse_run_record(text);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(read.error().message, HasSubstr("held"));
  EXPECT_FALSE(parse_run_record("").ok());
  EXPECT_FALSE(parse_run_record("[]").ok());
  EXPECT_FALSE(parse_run_record(R"({"format":"swavd-run/2"})").ok());
}

TEST(RunRecord, EveryProcessIsAnother) {
  EXPECT_NE(this_process().id, this_process().id);
  EXPECT_EQ(this_process().id.size(), 16U);
}

TEST(OnLine, EverythingIsWithoutRollbacks) {
  EXPECT_TRUE(on_line({}, 1, 1));
  EXPECT_TRUE(on_line({}, 900, 1));
}

TEST(OnLine, RollbackLeavesWhatCameAfterItsStart) {
  const std::vector<Rollback> back = {{3, "x", 1, 5}};
  EXPECT_TRUE(on_line(back, 1, 4));
  EXPECT_TRUE(on_line(back, 1, 5));
  EXPECT_FALSE(on_line(back, 1, 6));
  EXPECT_FALSE(on_line(back, 2, 7));
  EXPECT_TRUE(on_line(back, 3, 8));
  EXPECT_TRUE(on_line(back, 4, 9));
}

TEST(OnLine, FreshStartLeavesEverything) {
  const std::vector<Rollback> fresh = {{3, "", 0, 0}};
  EXPECT_FALSE(on_line(fresh, 1, 1));
  EXPECT_FALSE(on_line(fresh, 2, 7));
  EXPECT_TRUE(on_line(fresh, 3, 8));
}

TEST(OnLine, SecondRollbackCountsFromItsOwnStart) {
  const std::vector<Rollback> twice = {{3, "x", 1, 5}, {6, "y", 4, 9}};
  EXPECT_TRUE(on_line(twice, 1, 5));
  EXPECT_FALSE(on_line(twice, 1, 6));
  EXPECT_TRUE(on_line(twice, 4, 9));
  EXPECT_FALSE(on_line(twice, 4, 10));
  EXPECT_TRUE(on_line(twice, 6, 11));
}

TEST(OnLine, RollbackToWhatAnEarlierOneLeftUndoesThatOne) {
  const std::vector<Rollback> undone = {{3, "x", 1, 5}, {5, "z", 2, 7}};
  EXPECT_TRUE(on_line(undone, 1, 6));
  EXPECT_TRUE(on_line(undone, 2, 7));
  EXPECT_FALSE(on_line(undone, 2, 8));
  EXPECT_FALSE(on_line(undone, 3, 9)) << "the line between the two rollbacks";
  EXPECT_TRUE(on_line(undone, 5, 10));
}

TEST(MergeRollbacks, TakesEachOnceInOrder) {
  const auto merged =
      merge_rollbacks({{6, "y", 4, 9}}, {{3, "x", 1, 5}, {6, "y", 4, 9}});
  ASSERT_EQ(merged.size(), 2U);
  EXPECT_EQ(merged[0].generation, 3U);
  EXPECT_EQ(merged[1].generation, 6U);
}

}  // namespace
}  // namespace swavd::state
