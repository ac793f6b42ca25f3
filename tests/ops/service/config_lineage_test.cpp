#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/service/config.h"

namespace swavd::service {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Config load(std::vector<std::string> overrides) {
  LoadedConfig loaded = load_config({"", std::move(overrides), {}});
  EXPECT_THAT(format_mistakes(loaded.mistakes), IsEmpty());
  return loaded.config;
}

TEST(Lineage, HoldsWhatTheModelDependsOnAndNoConnection) {
  const std::string toml = load({"stream.url=kafka://secret-host:1/t",
                                 "object_store.url=s3://secret-bucket"})
                               .lineage_toml;
  EXPECT_THAT(toml, HasSubstr("[loader]\nbatch_images = 64\n"));
  EXPECT_THAT(toml, HasSubstr("epsilon = 0.02\n"));
  EXPECT_THAT(toml, HasSubstr("scale = [0.3, 1.0]"));
  EXPECT_THAT(toml, HasSubstr("[precision]\ncompute = \"fp32\"\n"));
  EXPECT_THAT(toml, Not(HasSubstr("secret")));
  EXPECT_THAT(toml, Not(HasSubstr("workers")));
  EXPECT_THAT(toml, Not(HasSubstr("threads")));
  EXPECT_THAT(toml, Not(HasSubstr("preset")));
}

TEST(Lineage, DoesNotHoldWhereTheFirstWeightsLay) {
  // Read once; the manifest's `origin` tells of them, and a run goes on when
  // the key or the file is gone.
  EXPECT_EQ(
      load({"model.init_from=/models/seer"}).lineage_toml,
      load({}).lineage_toml);
}

TEST(Lineage, ReadsBackToTheSameBits) {
  const Config written = load(
      {"schedule.learning_rate=0.1234567890123456789",
       "model.seed=9223372036854775807",
       "model.trainer=ledger"});
  const auto read = parse_lineage(written.lineage_toml);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.value().lineage_toml, written.lineage_toml);
  EXPECT_EQ(
      read.value().schedule.learning_rate, written.schedule.learning_rate);
  EXPECT_EQ(read.value().model.seed, written.model.seed);
  EXPECT_EQ(read.value().model.trainer, "ledger");
  EXPECT_EQ(read.value().loader.crops.size(), 2U);
}

TEST(Lineage, DoesNotDependOnWhereAValueCameFrom) {
  EXPECT_EQ(
      load({}).lineage_toml,
      load({"swav.prototypes=300", "loader.workers=7"}).lineage_toml);
}

TEST(Lineage, NamesTheKeysThatDiffer) {
  EXPECT_THAT(
      lineage_differences(
          load({}).lineage_toml,
          load({"swav.prototypes=301", "loader.batch_images=8"}).lineage_toml),
      ElementsAre("loader.batch_images", "swav.prototypes"));
}

TEST(Lineage, AKeyThatAnOlderVersionDidNotWriteHasItsDefault) {
  std::string older = load({}).lineage_toml;
  const std::string line = "momentum = 0.9\n";
  older.erase(older.find(line), line.size());
  EXPECT_THAT(lineage_differences(older, load({}).lineage_toml), IsEmpty());
  EXPECT_THAT(
      lineage_differences(older, load({"optimizer.momentum=0.8"}).lineage_toml),
      ElementsAre("optimizer.momentum"));
}

TEST(Lineage, FromBeforeTrunksCouldBeChosenIsThatOfARegNetY) {
  std::string older = load({}).lineage_toml;
  for (const std::string key :
       {"trunk",
        "block",
        "stage_depths",
        "widen",
        "groups",
        "width_per_group",
        "stem"}) {
    const std::size_t begin = older.find("\n" + key + " = ");
    ASSERT_NE(begin, std::string::npos) << key;
    older.erase(begin, older.find('\n', begin + 1) - begin);
  }
  EXPECT_THAT(lineage_differences(older, load({}).lineage_toml), IsEmpty());
  EXPECT_THAT(
      lineage_differences(older, load({"model.trunk=regnet_x"}).lineage_toml),
      ElementsAre("model.trunk"));
  const auto read = parse_lineage(older);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value().model.trunk, "regnet_y");
}

TEST(Lineage, ASnapshotFromBeforeSeveralSetsOfPrototypesStillFits) {
  std::string older = load({}).lineage_toml;
  EXPECT_THAT(older, HasSubstr("prototypes = 300\n"));
  for (const char* line :
       {"assign_crops = 2\n",
        "hard_assignment_steps = 0\n",
        "queue_images = 0\n",
        "queue_start_images = 0\n",
        "pass_per_crop = false\n"}) {
    ASSERT_NE(older.find(line), std::string::npos) << line;
    older.erase(older.find(line), std::string(line).size());
  }
  EXPECT_THAT(lineage_differences(older, load({}).lineage_toml), IsEmpty());
  const auto read = parse_lineage(older);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.value().lineage_toml, load({}).lineage_toml);
}

TEST(Lineage, SeveralSetsOfPrototypesReadBack) {
  const Config written = load({"swav.prototypes=[300, 400]"});
  EXPECT_THAT(written.lineage_toml, HasSubstr("prototypes = [300, 400]\n"));
  const auto read = parse_lineage(written.lineage_toml);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_THAT(read.value().swav.prototypes, ElementsAre(300, 400));
  EXPECT_EQ(
      load({"swav.prototypes=[300]"}).lineage_toml, load({}).lineage_toml);
}

TEST(Lineage, AKeyOfANewerVersionIsADifferenceAndCannotBeRead) {
  const std::string newer = load({}).lineage_toml + "novelty = 1\n";
  EXPECT_THAT(
      lineage_differences(newer, load({}).lineage_toml),
      ElementsAre("precision.novelty"));
  const auto read = parse_lineage(newer);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(read.error().message, HasSubstr("precision.novelty"));
}

TEST(Lineage, WhatIsNoLineageIsCorruption) {
  for (const char* text :
       {"= 3",
        "[stream]\nurl = \"x\"\n",
        "[swav]\nprototypes = 0\n",
        "[x]\n"}) {
    const auto read = parse_lineage(text);
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().code, ErrorCode::kCorruption);
  }
}

TEST(Lineage, ChangesAreSortedByWhatTheyTake) {
  const auto changes = config_changes(
      load({}),
      load({"log.level=debug", "loader.workers=3", "swav.epsilon=0.05"}));
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_EQ(changes[0].key, "loader.workers");
  EXPECT_EQ(changes[0].key_class, KeyClass::kRestart);
  EXPECT_EQ(changes[1].key, "swav.epsilon");
  EXPECT_EQ(changes[1].key_class, KeyClass::kLineage);
  EXPECT_EQ(changes[1].before, "0.02");
  EXPECT_EQ(changes[1].after, "0.05");
  EXPECT_EQ(changes[2].key, "log.level");
  EXPECT_EQ(changes[2].key_class, KeyClass::kReloadable);
}

}  // namespace
}  // namespace swavd::service
