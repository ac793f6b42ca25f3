#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/files.h"
#include "state/snapshot_ref.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

class PullTest : public testing::Test {
 protected:
  std::string write(std::uint64_t commit, const std::string& name) {
    const auto id = write_snapshot_folder(
        sample_manifest(commit),
        sample_state(commit * 10, commit),
        folder_ / name);
    EXPECT_TRUE(id.ok()) << id.error().message;
    return id.value();
  }

  Status pull_from(
      const std::string& name,
      const std::string& to,
      PullFiles files = PullFiles::kConsumers) {
    auto opened = open_snapshot(folder_ / name);
    SWAVD_CHECK(opened.ok());
    return pull(*opened.value().reader, folder_ / to, files);
  }

  TemporaryFolder folder_;
};

TEST_F(PullTest, WrittenFolderIsAWholeSnapshot) {
  const auto id = write(1, "one");
  auto opened = open_snapshot(folder_ / "one");
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened.value().reader->id(), id);
  EXPECT_TRUE(verify(*opened.value().reader).ok());
  EXPECT_EQ(names_in(folder_ / "one").size(), 6U);
}

TEST_F(PullTest, ConsumersGetEverythingButTheTrainingState) {
  write(1, "one");
  ASSERT_TRUE(pull_from("one", "got").ok());
  EXPECT_THAT(
      names_in(folder_ / "got"),
      ElementsAre(
          "config.json",
          "head.safetensors",
          "manifest.json",
          "model.safetensors",
          "preprocessor_config.json"));
  EXPECT_EQ(
      read_file(folder_ / "got/model.safetensors").value(),
      read_file(folder_ / "one/model.safetensors").value());
  EXPECT_THAT(names_in(folder_.path().string()), ElementsAre("got", "one"));
}

TEST_F(PullTest, AllFilesMakeAnEqualSnapshot) {
  const auto id = write(1, "one");
  ASSERT_TRUE(pull_from("one", "got/", PullFiles::kAll).ok());
  auto opened = open_snapshot(folder_ / "got");
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened.value().reader->id(), id);
  EXPECT_TRUE(verify(*opened.value().reader).ok());
}

TEST_F(PullTest, FillsAnEmptyFolder) {
  write(1, "one");
  fs::create_directory(folder_ / "got");
  EXPECT_TRUE(pull_from("one", "got").ok());
}

TEST_F(PullTest, ReplacesAnOlderSnapshotAndItsLeftovers) {
  write(1, "one");
  const auto newer = write(2, "two");
  ASSERT_TRUE(pull_from("one", "got", PullFiles::kAll).ok());
  std::ofstream(folder_ / "got/README") << "mine";
  ASSERT_TRUE(pull_from("two", "got").ok());
  auto opened = open_snapshot(folder_ / "got");
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened.value().reader->id(), newer);
  EXPECT_TRUE(read_verified(*opened.value().reader, "model.safetensors").ok());
  // Momenta of the old snapshot beside weights of the new would be a trap.
  EXPECT_FALSE(fs::exists(folder_ / "got/state.safetensors"));
  EXPECT_TRUE(fs::exists(folder_ / "got/README"));
  EXPECT_THAT(
      names_in(folder_.path().string()), ElementsAre("got", "one", "two"));
}

TEST_F(PullTest, RefusesAFolderOfSomethingElse) {
  write(1, "one");
  fs::create_directory(folder_ / "got");
  std::ofstream(folder_ / "got/thesis.tex") << "precious";
  const Status status = pull_from("one", "got");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(names_in(folder_ / "got"), ElementsAre("thesis.tex"));
  std::ofstream(folder_ / "file") << "x";
  EXPECT_EQ(pull_from("one", "file").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(PullTest, DamagedSourceChangesNothing) {
  write(1, "one");
  write(2, "two");
  damage(folder_ / "two/model.safetensors", 900);
  ASSERT_TRUE(pull_from("one", "got").ok());
  const auto before = read_file(folder_ / "got/manifest.json").value();
  const Status status = pull_from("two", "got");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(read_file(folder_ / "got/manifest.json").value(), before);
  EXPECT_TRUE(
      read_verified(
          *open_snapshot(folder_ / "got").value().reader, "model.safetensors")
          .ok());
  EXPECT_FALSE(fs::exists(folder_ / "got.partial"));
}

TEST_F(PullTest, ClearsWhatAKilledPullLeft) {
  write(1, "one");
  fs::create_directory(folder_ / "got.partial");
  std::ofstream(folder_ / "got.partial/model.safetensors") << "half";
  std::ofstream(folder_ / "got.partial/other") << "half";
  ASSERT_TRUE(pull_from("one", "got").ok());
  EXPECT_EQ(names_in(folder_ / "got").size(), 5U);
  EXPECT_FALSE(fs::exists(folder_ / "got.partial"));
}

TEST_F(PullTest, TwoPullsIntoOneFolderDoNotMix) {
  write(1, "one");
  fs::create_directory(folder_ / "got.partial");
  const auto lock = FileLock::acquire(folder_ / "got.partial/.lock");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(pull_from("one", "got").error().code, ErrorCode::kUnavailable);
}

TEST_F(PullTest, AbsentStateOfAPulledFolderIsNotFound) {
  write(1, "one");
  ASSERT_TRUE(pull_from("one", "got").ok());
  auto opened = open_snapshot(folder_ / "got");
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(
      read_verified(*opened.value().reader, "state.safetensors").error().code,
      ErrorCode::kNotFound);
}

}  // namespace
}  // namespace swavd::state
