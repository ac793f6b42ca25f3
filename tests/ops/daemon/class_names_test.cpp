#include "ops/daemon/class_names.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::daemon {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

ingest::FileSet files_of(
    const ingest::testing::TempFolder& folder,
    const std::string& name,
    const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    folder.write(name + "/" + file, "");
  }
  auto set = ingest::FileSet::open((folder.path() / name).string());
  EXPECT_TRUE(set.ok());
  return std::move(set).value();
}

TEST(ClassNames, AreTheFirstFoldersInBytewiseOrder) {
  const ingest::testing::TempFolder folder;
  const auto classes = ClassNames::of(
      files_of(folder, "train", {"dog/x/1", "cat/2", "Zebra/3", "cat/4"}));
  ASSERT_TRUE(classes.ok());
  EXPECT_THAT(classes.value().names(), ElementsAre("Zebra", "cat", "dog"));
  EXPECT_EQ(classes.value().number("dog"), 2);
  EXPECT_EQ(classes.value().number("cow"), std::nullopt);
}

TEST(ClassNames, NeedAFolderAroundEveryFile) {
  const ingest::testing::TempFolder folder;
  const auto classes =
      ClassNames::of(files_of(folder, "train", {"dog/1", "cat/2", "stray"}));
  ASSERT_FALSE(classes.ok());
  EXPECT_EQ(classes.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(
      classes.error().message,
      AllOf(HasSubstr("1 of the 3 files"), HasSubstr("stray")));
}

TEST(ClassNames, NeedTwoClasses) {
  const ingest::testing::TempFolder folder;
  const auto classes =
      ClassNames::of(files_of(folder, "train", {"dog/1", "dog/2"}));
  ASSERT_FALSE(classes.ok());
  EXPECT_THAT(classes.error().message, HasSubstr("one class, dog"));
}

TEST(ClassNames, NameTheTestLabelsThatNothingWasLearntOf) {
  const ingest::testing::TempFolder folder;
  const auto classes =
      ClassNames::of(files_of(folder, "train", {"dog/1", "cat/2"}));
  ASSERT_TRUE(classes.ok());
  const auto numbers = classes.value().numbers(
      files_of(folder, "test", {"cat/1", "cow/2", "emu/3"}));
  ASSERT_FALSE(numbers.ok());
  EXPECT_EQ(numbers.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(numbers.error().message, HasSubstr("cow, emu"));
}

TEST(ClassNames, LearnLabelsBehindTheKnownOnes) {
  const ingest::testing::TempFolder folder;
  auto classes = ClassNames::of(files_of(folder, "train", {"dog/1", "cat/2"}));
  ASSERT_TRUE(classes.ok());
  EXPECT_THAT(
      classes.value().learn({"cow", "cat", "cow"}), ElementsAre(2, 0, 2));
  EXPECT_THAT(classes.value().names(), ElementsAre("cat", "dog", "cow"));
}

}  // namespace
}  // namespace swavd::daemon
