#include "ingest/crawl/url_lists.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ingest/crawl/url.h"
#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::ingest {
namespace {

using testing::TempFolder;

std::vector<std::string> read(UrlLists& lists, std::size_t limit = 1000) {
  std::vector<std::string> all;
  while (all.size() < limit) {
    auto line = lists.next();
    EXPECT_TRUE(line.ok());
    if (!line.ok() || !line.value()) {
      break;
    }
    all.push_back(*line.value());
  }
  return all;
}

TEST(UrlLists, LeavesOutCommentsAndBlanks) {
  const TempFolder folder;
  const std::string list =
      folder.write("list", "# a comment\n\n  a  \r\n\tb\n   \n#c\nd");
  auto lists = UrlLists::open({list}, /*repeat=*/false);
  ASSERT_TRUE(lists.ok());
  EXPECT_EQ(read(lists.value()), (std::vector<std::string>{"a", "b", "d"}));
}

TEST(UrlLists, TakesTheFilesInTurn) {
  const TempFolder folder;
  auto lists = UrlLists::open(
      {folder.write("1", "a1\na2\na3\n"),
       folder.write("2", "b1\n"),
       folder.write("3", "c1\nc2\n")},
      /*repeat=*/false);
  ASSERT_TRUE(lists.ok());
  EXPECT_EQ(
      read(lists.value()),
      (std::vector<std::string>{"a1", "b1", "c1", "a2", "c2", "a3"}));
}

TEST(UrlLists, CutsALineTooLongToBeAUrlAndGoesOnAfterIt) {
  const TempFolder folder;
  auto lists = UrlLists::open(
      {folder.write("list", std::string(1'000'000, 'x') + "\nnext\n")},
      /*repeat=*/false);
  ASSERT_TRUE(lists.ok());
  const auto lines = read(lists.value());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_GT(lines[0].size(), kMaxUrlBytes);
  EXPECT_LT(lines[0].size(), kMaxUrlBytes + 10);
  EXPECT_EQ(lines[1], "next");
}

TEST(UrlLists, StartsOverWhenItRepeats) {
  const TempFolder folder;
  auto lists =
      UrlLists::open({folder.write("list", "a\nb\n")}, /*repeat=*/true);
  ASSERT_TRUE(lists.ok());
  EXPECT_EQ(
      read(lists.value(), 5),
      (std::vector<std::string>{"a", "b", "a", "b", "a"}));
}

TEST(UrlLists, WillNotRepeatListsWithoutAUrl) {
  const TempFolder folder;
  auto lists =
      UrlLists::open({folder.write("list", "# nothing\n")}, /*repeat=*/true);
  ASSERT_TRUE(lists.ok());
  const auto line = lists.value().next();
  ASSERT_FALSE(line.ok());
  EXPECT_EQ(line.error().code, ErrorCode::kInvalidArgument);
}

TEST(UrlLists, NamesAListThatIsNotThere) {
  const auto lists = UrlLists::open({"/no/such/list"}, /*repeat=*/false);
  ASSERT_FALSE(lists.ok());
  EXPECT_EQ(lists.error().code, ErrorCode::kNotFound);
  EXPECT_NE(lists.error().message.find("/no/such/list"), std::string::npos);
}

}  // namespace
}  // namespace swavd::ingest
