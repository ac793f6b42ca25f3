#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/files.h"
#include "state/snapshot_follow.h"
#include "tests/state/follow_rig.h"

namespace swavd::state {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

std::set<std::string> entries_of(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

class FollowTest : public testing::Test {
 protected:
  FollowTest() : store_(open_object_store("file://" + (folder_ / "models"))) {
    SWAVD_CHECK(store_.ok());
    writer_ = std::make_unique<RunWriter>(*store_.value());
  }

  [[nodiscard]] std::string ref() const {
    return "file://" + (folder_ / "models/main");
  }

  [[nodiscard]] std::string current_id() const {
    const auto opened = open_snapshot(folder_ / "got");
    return opened.ok() ? opened.value().reader->id() : opened.error().message;
  }

  TemporaryFolder folder_;
  Result<std::unique_ptr<ObjectStore>> store_;
  std::unique_ptr<RunWriter> writer_;
};

TEST_F(FollowTest, EachNewSnapshotBecomesCurrentOnce) {
  const auto first = writer_->write(1);
  RunningFollower follower(ref(), folder_ / "got", eager());
  auto made = follower.switches.pop();
  ASSERT_TRUE(made);
  EXPECT_EQ(made->id, first);
  EXPECT_EQ(made->step, 10U);
  EXPECT_EQ(made->verdict, "healthy");
  EXPECT_EQ(made->fetched_bytes, made->bytes);
  EXPECT_EQ(made->folder, folder_ / "got/versions/" + first);
  const auto second = writer_->write(2);
  made = follower.switches.pop();
  ASSERT_TRUE(made);
  EXPECT_EQ(made->id, second);
  EXPECT_EQ(current_id(), second);
  const auto totals = follower.stop();
  ASSERT_TRUE(totals.ok()) << totals.error().message;
  EXPECT_EQ(totals.value().switches, 2U);
  EXPECT_EQ(totals.value().failures, 0U);
  EXPECT_FALSE(fs::exists(folder_ / "got/current/state.safetensors"));
  EXPECT_FALSE(fs::exists(folder_ / "got/current/model.safetensors.parts"));
}

TEST_F(FollowTest, DataFolderAndPulledFolderCanBeFollowedToo) {
  auto store = open_local_store(small_store(folder_ / "data/snapshots"));
  ASSERT_TRUE(store.ok());
  const auto commit = [&](std::uint64_t number) {
    return store.value()
        ->commit(sample_manifest(number), sample_state(number * 10, number))
        .value();
  };
  const auto first = commit(1);
  FollowOptions options = eager();
  options.files = PullFiles::kAll;
  RunningFollower follower(folder_ / "data", folder_ / "got", options);
  EXPECT_EQ(follower.switches.pop()->id, first);
  const auto second = commit(2);
  EXPECT_EQ(follower.switches.pop()->id, second);
  EXPECT_TRUE(follower.stop().ok());
  EXPECT_TRUE(verify(*open_snapshot(folder_ / "got").value().reader).ok());
  RunningFollower again(folder_ / "got", folder_ / "second", options);
  EXPECT_EQ(again.switches.pop()->id, second);
}

TEST_F(FollowTest, HealthyOneIsNeverReplacedByAnotherKind) {
  const auto starting = writer_->write(1, "starting");
  RunningFollower follower(ref(), folder_ / "got", eager());
  EXPECT_EQ(follower.switches.pop()->id, starting);
  const auto healthy = writer_->write(2);
  EXPECT_EQ(follower.switches.pop()->id, healthy);
  writer_->write(3, "collapsing");
  // Even when there is no healthy one left to go back to.
  ASSERT_TRUE(writer_->run().drop(healthy).ok());
  follower.wait_for_looks(2);
  const auto better = writer_->write(4);
  EXPECT_EQ(follower.switches.pop()->id, better);
  EXPECT_EQ(follower.stop().value().failures, 0U);
}

TEST_F(FollowTest, NewestIsFollowedWhateverItsHealthWhenAskedFor) {
  writer_->write(1);
  const auto bad = writer_->write(2, "collapsing");
  FollowOptions options = eager();
  options.choice = FollowChoice::kNewest;
  RunningFollower follower(ref(), folder_ / "got", options);
  EXPECT_EQ(follower.switches.pop()->id, bad);
}

TEST_F(FollowTest, PlaceThatIsStillEmptyIsAskedAgain) {
  RunningFollower follower(ref(), folder_ / "got", eager());
  EXPECT_THAT(*follower.troubles.pop(), StartsWith("not_found: "));
  EXPECT_THAT(*follower.troubles.pop(), StartsWith("not_found: "));
  const auto first = writer_->write(1);
  EXPECT_EQ(follower.switches.pop()->id, first);
  EXPECT_GE(follower.stop().value().failures, 2U);
}

TEST_F(FollowTest, OldOnesArePrunedButNotWithinTheirGrace) {
  FollowOptions options = eager();
  options.keep = 2;
  options.grace = std::chrono::milliseconds(0);
  {
    RunningFollower follower(ref(), folder_ / "got", options);
    for (std::uint64_t commit = 1; commit <= 5; ++commit) {
      const auto id = writer_->write(commit);
      EXPECT_EQ(follower.switches.pop()->id, id);
    }
    EXPECT_TRUE(follower.stop().ok());
  }
  EXPECT_EQ(entries_of(folder_ / "got/versions").size(), 2U);
  options.grace = std::chrono::hours(1);
  RunningFollower follower(ref(), folder_ / "got", options);
  for (std::uint64_t commit = 6; commit <= 9; ++commit) {
    const auto id = writer_->write(commit);
    EXPECT_EQ(follower.switches.pop()->id, id);
  }
  EXPECT_TRUE(follower.stop().ok());
  EXPECT_EQ(entries_of(folder_ / "got/versions").size(), 6U);
}

TEST_F(FollowTest, RestartTakesOverWhatIsThereUnlessItIsDamaged) {
  const auto id = writer_->write(1);
  const auto first_switch = [&] {
    RunningFollower follower(ref(), folder_ / "got", eager());
    const auto made = follower.switches.pop();
    EXPECT_TRUE(follower.stop().ok());
    return *made;
  };
  first_switch();
  {
    RunningFollower follower(ref(), folder_ / "got", eager());
    const auto newer = writer_->write(2);
    EXPECT_EQ(follower.switches.pop()->id, newer);  // and not `id` again
  }
  const std::string version =
      fs::canonical(folder_ / "got/current").filename().string();
  damage(folder_ / "got/current/model.safetensors", 700);
  const auto made = first_switch();
  EXPECT_EQ(made.id, version);
  // The damaged one may be in somebody's hands: the good one lies beside it.
  EXPECT_EQ(made.folder, folder_ / "got/versions/" + version + ".2");
  EXPECT_THAT(current_id(), version);
  EXPECT_NE(version, id);
}

TEST_F(FollowTest, HookFindsTheSnapshotInItsEnvironment) {
  const auto id = writer_->write(7);
  FollowOptions options = eager();
  options.exec =
      "cd \"$SWAVD_SNAPSHOT_FOLDER\" && test -s model.safetensors && echo "
      "$SWAVD_SNAPSHOT_ID $SWAVD_SNAPSHOT_STEP $SWAVD_SNAPSHOT_HEALTH >> "
      "../../../said";
  RunningFollower follower(ref(), folder_ / "got", options);
  ASSERT_TRUE(follower.switches.pop());
  // The next switch is made after the first hook has ended.
  writer_->write(8);
  ASSERT_TRUE(follower.switches.pop());
  EXPECT_TRUE(follower.stop().ok());
  const auto said = read_file(folder_ / "said");
  ASSERT_TRUE(said.ok());
  EXPECT_THAT(
      std::string(as_text(said.value())), StartsWith(id + " 70 healthy\n"));
}

TEST_F(FollowTest, FailingHookIsCountedAndFollowingGoesOn) {
  writer_->write(1);
  FollowOptions options = eager();
  options.exec = "exit 3";
  RunningFollower follower(ref(), folder_ / "got", options);
  ASSERT_TRUE(follower.switches.pop());
  EXPECT_THAT(*follower.troubles.pop(), HasSubstr("exited with status 3"));
  writer_->write(2);
  ASSERT_TRUE(follower.switches.pop());
  EXPECT_THAT(*follower.troubles.pop(), StartsWith("hook_failed: "));
  const auto totals = follower.stop();
  EXPECT_EQ(totals.value().hook_failures, 2U);
  EXPECT_EQ(totals.value().failures, 0U);
}

TEST_F(FollowTest, StopEndsAHookThatWouldRunForEver) {
  writer_->write(1);
  FollowOptions options = eager();
  options.exec = "sleep 100000 & wait";
  RunningFollower follower(ref(), folder_ / "got", options);
  ASSERT_TRUE(follower.switches.pop());
  const auto totals = follower.stop();
  ASSERT_TRUE(totals.ok());
  EXPECT_EQ(totals.value().hook_failures, 1U);
}

TEST_F(FollowTest, FoldersOfSomethingElseAndWrongOptionsAreRefused) {
  writer_->write(1);
  fs::create_directory(folder_ / "thesis");
  std::ofstream(folder_ / "thesis/thesis.tex") << "precious";
  const auto code = [&](const std::string& from,
                        const std::string& to,
                        const FollowOptions& options) {
    RunningFollower follower(from, folder_ / to, options);
    const auto totals = follower.join();
    return totals.ok() ? ErrorCode::kInternal : totals.error().code;
  };
  EXPECT_EQ(code(ref(), "thesis", eager()), ErrorCode::kInvalidArgument);
  EXPECT_EQ(entries_of(folder_ / "thesis").size(), 1U);
  EXPECT_EQ(code(ref() + "@10", "got", eager()), ErrorCode::kInvalidArgument);
  FollowOptions none = eager();
  none.keep = 0;
  EXPECT_EQ(code(ref(), "got", none), ErrorCode::kInvalidArgument);
  RunningFollower follower(ref(), folder_ / "got", eager());
  ASSERT_TRUE(follower.switches.pop());
  EXPECT_EQ(code(ref(), "got", eager()), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace swavd::state
