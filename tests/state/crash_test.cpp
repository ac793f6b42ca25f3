// Kills a committing process at random moments: a snapshot is there as a
// whole or not at all, and what was acknowledged is there.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "state/safetensors.h"
#include "state/snapshot_store.h"
#include "tests/state/killed_program.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

namespace fs = std::filesystem;

/// The committing process.
class CommitLoop {
 public:
  explicit CommitLoop(const std::string& folder)
      : program_("state_commit_loop", {folder}) {}

  /// Waits for `count` acknowledgements.
  void await(std::size_t count) { program_.await(count); }

  /// Lets `time` pass, then kills. Gives the last number acknowledged.
  std::uint64_t kill_after(std::chrono::microseconds time) {
    std::istringstream lines(program_.kill_after(time));
    std::uint64_t last = 0;
    for (std::uint64_t number = 0; lines >> number;) {
      last = number;
    }
    return last;
  }

 private:
  KilledProgram program_;
};

/// The content a snapshot must have by its number alone.
void expect_content(SnapshotReader& reader) {
  const std::uint64_t commit = reader.manifest().commit;
  ASSERT_TRUE(verify(reader).ok());
  const auto bytes = read_verified(reader, "model.safetensors");
  ASSERT_TRUE(bytes.ok());
  const auto model = parse_safetensors(bytes.value());
  ASSERT_TRUE(model.ok());
  const auto data = model.value().find("stem.weight")->data;
  const FrozenState expected = sample_state(commit * 10, commit, data.size());
  EXPECT_TRUE(
      std::ranges::equal(data, expected.tensor_files[0].tensors[0].data));
}

std::uint64_t table_bytes(const fs::path& database) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(database)) {
    bytes += entry.path().extension() == ".sst" ? entry.file_size() : 0;
  }
  return bytes;
}

TEST(Crash, KillAtAnyMomentLeavesWholeSnapshotsAndAllThatWereAcknowledged) {
  const TemporaryFolder folder;
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<std::size_t> some(0, 2);
  std::uint64_t newest = 0;
  // How long a commit takes here; the kill falls anywhere within one.
  std::chrono::microseconds commit_time(50'000);
  constexpr int kKills = 12;
  for (int round = 0; round < kKills; ++round) {
    CommitLoop child(folder.path().string());
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t count = some(random);
    child.await(count);
    if (count > 0) {
      commit_time = std::chrono::duration_cast<std::chrono::microseconds>(
          (std::chrono::steady_clock::now() - begin) / count);
    }
    std::uniform_int_distribution<long> moment(0, commit_time.count() * 5 / 4);
    const std::uint64_t acknowledged =
        child.kill_after(std::chrono::microseconds(moment(random)));
    auto store = open_local_store(small_store(folder.path().string()));
    ASSERT_TRUE(store.ok()) << store.error().message;
    EXPECT_TRUE(fs::is_empty(folder.path() / "staging"));
    const auto list = store.value()->list();
    ASSERT_TRUE(list.ok()) << list.error().message;
    std::uint64_t bytes = 0;
    std::uint64_t previous = 0;
    for (const SnapshotInfo& info : list.value()) {
      ASSERT_NE(info.verdict, kUnreadable);
      EXPECT_TRUE(previous == 0 || info.commit == previous + 1);
      previous = info.commit;
      bytes += info.bytes;
      auto reader = store.value()->open(info.id);
      ASSERT_TRUE(reader.ok()) << reader.error().message;
      expect_content(*reader.value());
    }
    EXPECT_GE(previous, std::max(acknowledged, newest));
    const auto noted = store.value()->read_note("last");
    ASSERT_TRUE(noted.ok());
    const std::uint64_t last =
        noted.value().empty() ? 0 : std::stoull(noted.value());
    EXPECT_GE(last, acknowledged);
    EXPECT_LE(last, previous);
    newest = previous;
    // Nothing on the disk but what is listed.
    EXPECT_LE(table_bytes(folder.path() / "db"), bytes + (1U << 20U));
  }
  EXPECT_GT(newest, 0U) << "never got as far as one commit";
}

}  // namespace
}  // namespace swavd::state
