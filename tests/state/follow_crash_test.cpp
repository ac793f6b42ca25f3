// Kills a follower at random moments: what it leaves current is whole, and the
// next one goes on.

#include <chrono>
#include <filesystem>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "state/snapshot_ref.h"
#include "tests/state/follow_rig.h"
#include "tests/state/killed_program.h"

namespace swavd::state {
namespace {

/// Why `current` in `folder` is no whole snapshot; "" when it is, or when
/// there is none yet.
std::string current_trouble(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_symlink(folder + "/current", error)) {
    return {};
  }
  const auto opened = open_snapshot(folder);
  if (!opened.ok()) {
    return opened.error().message;
  }
  SnapshotReader& reader = *opened.value().reader;
  for (const FileEntry& file : reader.manifest().files) {
    const auto bytes = read_verified(reader, file.name);
    if (file.name != kStateFile && !bytes.ok()) {
      return bytes.error().message;
    }
  }
  return {};
}

TEST(FollowCrash, WhatIsCurrentIsWholeHoweverOftenTheFollowerIsKilled) {
  constexpr int kKills = 30;
  constexpr std::size_t kBytes = 400'000;
  TemporaryFolder folder;
  auto store = open_object_store("file://" + (folder / "models"));
  ASSERT_TRUE(store.ok());
  RunWriter writer(*store.value());
  std::mt19937 random(7);
  std::uniform_int_distribution<int> time_us(0, 60'000);
  std::string newest;
  for (int kill = 1; kill <= kKills; ++kill) {
    // Every other time what is there is to be fetched to its end.
    if (kill % 2 == 1) {
      newest =
          writer.write(static_cast<std::uint64_t>(kill), "healthy", kBytes);
    }
    KilledProgram follower(
        "state_follow_loop", {folder / "models", folder / "got"});
    (void)follower.kill_after(std::chrono::microseconds(time_us(random)));
    ASSERT_EQ(current_trouble(folder / "got"), "") << "after kill " << kill;
  }
  newest = writer.write(kKills + 1, "healthy", kBytes);
  KilledProgram follower(
      "state_follow_loop", {folder / "models", folder / "got"});
  follower.await(1);
  const std::string said = follower.kill_after(std::chrono::microseconds(0));
  EXPECT_EQ(said, newest + "\n");
  EXPECT_EQ(current_trouble(folder / "got"), "");
  EXPECT_EQ(open_snapshot(folder / "got").value().reader->id(), newest);
}

}  // namespace
}  // namespace swavd::state
