// What is told of a configuration that is right and yet doubtful.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/service/config.h"
#include "tests/ops/service/temp_folder.h"

namespace swavd::service {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<ConfigMistake> warnings_of(const std::string& toml) {
  const TempFolder folder;
  const LoadedConfig loaded =
      load_config({folder.write("swavd.toml", toml), {}, {}});
  EXPECT_THAT(format_mistakes(loaded.mistakes), IsEmpty());
  return loaded.warnings;
}

auto warning(int line, const std::string& key, const std::string& words) {
  return AllOf(
      Field(&ConfigMistake::line, line),
      Field(&ConfigMistake::key, key),
      Field(&ConfigMistake::message, HasSubstr(words)));
}

TEST(ConfigWarnings, MorePrototypesThanImagesToBalanceAreNamedWithTheirLine) {
  EXPECT_THAT(
      warnings_of("[swav]\nprototypes = [64, 100]\n"),
      ElementsAre(warning(
          2, "swav.prototypes", "balances 64 images over 100 prototypes")));
  EXPECT_THAT(
      warnings_of("[loader]\nbatch_images = 32\n"),
      ElementsAre(warning(
          2, "swav.prototypes", "balances 32 images over 300 prototypes")));
}

TEST(ConfigWarnings, ABatchWithAQueueThatReachesThePrototypesHasNone) {
  EXPECT_THAT(warnings_of("[swav]\nprototypes = 64\n"), IsEmpty());
  EXPECT_THAT(warnings_of("[swav]\nqueue_images = 256\n"), IsEmpty());
}

TEST(ConfigWarnings, AQueueOfNoWholeBatchesIsCutOff) {
  EXPECT_THAT(
      warnings_of("[swav]\nqueue_images = 300\n"),
      ElementsAre(warning(
          2,
          "swav.queue_images",
          "300 is no multiple of loader.batch_images = 64: 256 are kept")));
}

TEST(ConfigWarnings, ATrainerWithoutPrototypesHasNone) {
  EXPECT_THAT(warnings_of("[model]\ntrainer = \"ledger\"\n"), IsEmpty());
}

TEST(ConfigWarnings, AreNotGivenBesideMistakes) {
  const TempFolder folder;
  const LoadedConfig loaded =
      load_config({folder.write("s.toml", "[swav]\nepsilon = -1\n"), {}, {}});
  EXPECT_FALSE(loaded.mistakes.empty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
}

}  // namespace
}  // namespace swavd::service
