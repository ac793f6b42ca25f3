#include "ingest/file_set.h"

#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::ingest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileSets : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a/1.png", "a/2.png", "b/c/3.png", "loose.png"}) {
      folder_.write(std::string("in/") + name, std::string("bytes of ") + name);
    }
  }

  std::string folder() const { return (folder_.path() / "in").string(); }

  /// The same files as a tar, in another order than the folder's.
  std::string tar() const {
    const std::string out = (folder_.path() / "in.tar").string();
    const std::string command = "tar -C " + folder() + " -cf " + out +
                                " loose.png b/c/3.png a/2.png a/1.png";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return out;
  }

  static FileSet opened(const std::string& path) {
    auto set = FileSet::open(path);
    EXPECT_TRUE(set.ok()) << set.error().message;
    return std::move(set).value();
  }

  /// "NAME LABEL" of each record, whose payload and offset are checked.
  static std::vector<std::string> read(
      FileSet& set,
      std::vector<std::size_t> places) {
    auto source = set.source(std::move(places));
    EXPECT_TRUE(source.ok()) << source.error().message;
    StreamProgress progress;
    progress.begin(source.value()->topic(), 0, 0);
    EXPECT_TRUE(source.value()->assign(progress.positions()).ok());
    std::vector<std::string> seen;
    while (true) {
      const auto polled = source.value()->poll(std::chrono::seconds(1));
      EXPECT_TRUE(polled.ok()) << polled.error().message;
      if (!polled.ok() || polled.value().state == PollState::kEnd) {
        return seen;
      }
      const Record& record = polled.value().record;
      const std::string name(find_header(record.headers, kHeaderName));
      EXPECT_EQ(record.address.offset, static_cast<std::int64_t>(seen.size()));
      EXPECT_EQ(
          std::string(record.payload.begin(), record.payload.end()),
          "bytes of " + name);
      seen.push_back(name + " " + record.label);
    }
  }

  testing::TempFolder folder_;
};

TEST_F(FileSets, KnowsNamesAndLabels) {
  const FileSet set = opened(folder());
  EXPECT_THAT(
      set.names(), ElementsAre("a/1.png", "a/2.png", "b/c/3.png", "loose.png"));
  EXPECT_THAT(set.labels(), ElementsAre("a", "a", "b", ""));
}

TEST_F(FileSets, GiveAFolderInAnyOrder) {
  FileSet set = opened(folder());
  EXPECT_THAT(
      read(set, {3, 0, 2}),
      ElementsAre("loose.png ", "a/1.png a", "b/c/3.png b"));
  EXPECT_THAT(read(set, {1, 2}), ElementsAre("a/2.png a", "b/c/3.png b"));
  EXPECT_THAT(read(set, {}), IsEmpty());
}

TEST_F(FileSets, GiveATarInAnyOrderAndAgain) {
  FileSet set = opened(tar());
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_THAT(
        read(set, {2, 0, 3}),
        ElementsAre("a/2.png a", "loose.png ", "a/1.png a"));
    EXPECT_THAT(read(set, {1, 3}), ElementsAre("b/c/3.png b", "a/1.png a"));
  }
}

TEST_F(FileSets, ATarTooLargeForMemoryIsReadInItsOwnOrderOnly) {
  auto set = FileSet::open(tar(), /*max_tar_bytes=*/40);
  ASSERT_TRUE(set.ok());
  EXPECT_THAT(
      read(set.value(), {0, 3}), ElementsAre("loose.png ", "a/1.png a"));
  const auto shuffled = set.value().source({3, 0});
  ASSERT_FALSE(shuffled.ok());
  EXPECT_EQ(shuffled.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(shuffled.error().message, HasSubstr("unpack it"));
}

TEST_F(FileSets, NameAPathThatIsNotThere) {
  const auto set = FileSet::open(folder() + "/nowhere");
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(set.error().message, HasSubstr("nowhere"));
}

}  // namespace
}  // namespace swavd::ingest
