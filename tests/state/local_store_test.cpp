#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/base/files.h"
#include "ops/base/log.h"
#include "state/safetensors.h"
#include "state/snapshot_store.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LocalStoreTest : public testing::Test {
 protected:
  std::unique_ptr<SnapshotStore> open_store() const {
    auto store = open_local_store(small_store(folder_.path().string()));
    SWAVD_CHECK(store.ok());
    return std::move(store).value();
  }

  static std::string commit(
      SnapshotStore& store,
      std::uint64_t number,
      std::size_t bytes = 1000,
      std::uint64_t generation = 1) {
    const auto id = store.commit(
        sample_manifest(number, generation),
        sample_state(number * 10, number + 100 * generation, bytes));
    EXPECT_TRUE(id.ok()) << id.error().message;
    return id.ok() ? id.value() : "";
  }

  static std::vector<std::string> listed(SnapshotStore& store) {
    const auto list = store.list();
    EXPECT_TRUE(list.ok());
    return ids(list.value());
  }

  /// Bytes of all tables of the database.
  std::uint64_t table_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "db")) {
      if (entry.path().extension() == ".sst") {
        bytes += entry.file_size();
      }
    }
    return bytes;
  }

  TemporaryFolder folder_;
};

TEST_F(LocalStoreTest, FirstOpeningLogsNoError) {
  const std::uint64_t before = log_lines(LogLevel::kError);
  const auto store = open_store();
  EXPECT_THAT(listed(*store), IsEmpty());
  EXPECT_EQ(log_lines(LogLevel::kError), before);
}

TEST_F(LocalStoreTest, CommittedSnapshotIsListedAndReadBack) {
  auto store = open_store();
  constexpr std::size_t kSeveralChunks = (20U << 20U) + 12;
  const std::string id = commit(*store, 1, kSeveralChunks);
  EXPECT_TRUE(id.starts_with("000000000010-")) << id;
  const auto list = store->list();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list.value().size(), 1U);
  EXPECT_EQ(list.value()[0].id, id);
  EXPECT_EQ(list.value()[0].commit, 1U);
  EXPECT_EQ(list.value()[0].verdict, "healthy");
  EXPECT_GT(list.value()[0].bytes, 2 * kSeveralChunks);
  auto reader = store->open(id);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_TRUE(verify(*reader.value()).ok());
  const auto bytes = read_verified(*reader.value(), "model.safetensors");
  ASSERT_TRUE(bytes.ok()) << bytes.error().message;
  const auto model = parse_safetensors(bytes.value());
  ASSERT_TRUE(model.ok()) << model.error().message;
  const FrozenState expected = sample_state(10, 101, kSeveralChunks);
  EXPECT_TRUE(std::ranges::equal(
      model.value().find("stem.weight")->data,
      expected.tensor_files[0].tensors[0].data));
}

TEST_F(LocalStoreTest, SnapshotsPinsAndNotesOutliveTheProcess) {
  std::string first;
  std::string second;
  {
    auto store = open_store();
    first = commit(*store, 1);
    second = commit(*store, 2);
    ASSERT_TRUE(store->set_pinned(first, true).ok());
    ASSERT_TRUE(store->set_pinned(second, true).ok());
    ASSERT_TRUE(store->set_pinned(second, false).ok());
    EXPECT_EQ(store->read_note("mine").value(), "");
    ASSERT_TRUE(store->write_note("mine", "seven").ok());
  }
  auto store = open_store();
  EXPECT_THAT(listed(*store), ElementsAre(first, second));
  EXPECT_THAT(store->pinned().value(), ElementsAre(first));
  EXPECT_EQ(store->read_note("mine").value(), "seven");
}

TEST_F(LocalStoreTest, PinnedSnapshotIsNotDropped) {
  auto store = open_store();
  const auto id = commit(*store, 1);
  ASSERT_TRUE(store->set_pinned(id, true).ok());
  const Status refused = store->drop(id);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(listed(*store), ElementsAre(id));
  ASSERT_TRUE(store->set_pinned(id, false).ok());
  EXPECT_TRUE(store->drop(id).ok());
  EXPECT_EQ(store->set_pinned(id, true).error().code, ErrorCode::kNotFound);
  EXPECT_THAT(store->pinned().value(), IsEmpty());
}

TEST_F(LocalStoreTest, ListingIsByGenerationThenCommit) {
  auto store = open_store();
  const auto late = commit(*store, 5, 100, /*generation=*/2);
  const auto early = commit(*store, 3, 100, /*generation=*/2);
  const auto older = commit(*store, 9, 100, /*generation=*/1);
  EXPECT_THAT(listed(*store), ElementsAre(older, early, late));
}

TEST_F(LocalStoreTest, DroppedSnapshotIsGoneAndItsSpaceBack) {
  auto store = open_store();
  constexpr std::size_t kMany = 12U << 20U;
  const auto first = commit(*store, 1, kMany);
  const auto second = commit(*store, 2, kMany);
  ASSERT_GT(table_bytes(), 4 * kMany);
  ASSERT_TRUE(store->drop(first).ok());
  EXPECT_THAT(listed(*store), ElementsAre(second));
  EXPECT_LT(table_bytes(), 3 * kMany);
  EXPECT_EQ(store->open(first).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store->drop(first).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(verify(*store->open(second).value()).ok());
  store.reset();
  store = open_store();
  EXPECT_THAT(listed(*store), ElementsAre(second));
}

TEST_F(LocalStoreTest, ReaderKeepsASnapshotThatIsDroppedMeanwhile) {
  auto store = open_store();
  const auto id = commit(*store, 1, 12U << 20U);
  auto reader = store->open(id);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(store->drop(id).ok());
  EXPECT_TRUE(verify(*reader.value()).ok());
  store.reset();
  EXPECT_TRUE(verify(*reader.value()).ok());
}

TEST_F(LocalStoreTest, SecondWriterIsToldWhoHoldsTheStore) {
  auto store = open_store();
  const auto second = open_local_store(small_store(folder_.path().string()));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      second.error().message,
      HasSubstr("held by process " + std::to_string(::getpid())));
}

TEST_F(LocalStoreTest, TooLittleRoomStartsNothing) {
  const auto free = free_bytes(folder_.path());
  ASSERT_TRUE(free.ok());
  { auto store = open_store(); }  // made while there was room
  auto store =
      open_local_store({folder_.path().string(), free.value() + (1ULL << 40U)});
  ASSERT_TRUE(store.ok()) << store.error().message;
  const auto before = table_bytes();
  const auto id =
      store.value()->commit(sample_manifest(1), sample_state(10, 1));
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.error().code, ErrorCode::kExhausted);
  EXPECT_THAT(id.error().message, HasSubstr("make room"));
  EXPECT_EQ(
      store.value()->write_note("x", "1").error().code, ErrorCode::kExhausted);
  EXPECT_EQ(table_bytes(), before);
  EXPECT_TRUE(fs::is_empty(folder_.path() / "staging"));
  store = Error{};
  // A full disk is foreseen: the next try, with room, goes through.
  commit(*open_store(), 1);
}

TEST_F(LocalStoreTest, NumberTakenByTheSameGenerationIsRefused) {
  auto store = open_store();
  commit(*store, 1);
  const auto again = store->commit(sample_manifest(1), sample_state(10, 5));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(listed(*store).size(), 1U);
  // Nothing was started, so the store goes on.
  commit(*store, 2);
}

TEST_F(LocalStoreTest, NumberOfADeadBranchIsReplaced) {
  auto store = open_store();
  const auto dead = commit(*store, 4, 30U << 20U, /*generation=*/1);
  const auto alive = commit(*store, 4, 9U << 20U, /*generation=*/2);
  EXPECT_NE(dead, alive);
  EXPECT_THAT(listed(*store), ElementsAre(alive));
  EXPECT_TRUE(verify(*store->open(alive).value()).ok());
  ASSERT_TRUE(store->drop(alive).ok());
  EXPECT_THAT(listed(*store), IsEmpty());
  EXPECT_EQ(table_bytes(), 0U);
}

TEST_F(LocalStoreTest, StateOfAnotherStepIsRefused) {
  auto store = open_store();
  const auto id = store->commit(sample_manifest(1), sample_state(11, 1));
  ASSERT_FALSE(id.ok());
  EXPECT_EQ(id.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(LocalStoreTest, BadFileNamesAreRefused) {
  auto store = open_store();
  for (const std::string name :
       {"a/b", "../x", "", "manifest.json", "config.json", ".hidden", "~"}) {
    FrozenState state = sample_state(10, 1);
    state.text_files.emplace_back(name, "x");
    const auto id = store->commit(sample_manifest(1), state);
    ASSERT_FALSE(id.ok()) << name;
    EXPECT_EQ(id.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(LocalStoreTest, FileNamesThatSortOddlyAreKeptApart) {
  auto store = open_store();
  FrozenState state = sample_state(10, 1);
  // '-' and '.' sort before the '/' that ends a name in a key.
  state.text_files.emplace_back("a", "one");
  state.text_files.emplace_back("a.b", "two");
  state.text_files.emplace_back("a-b", "three");
  state.text_files.emplace_back("empty", "");
  const auto id = store->commit(sample_manifest(1), state);
  ASSERT_TRUE(id.ok()) << id.error().message;
  auto reader = store->open(id.value());
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(verify(*reader.value()).ok());
  EXPECT_EQ(as_text(read_verified(*reader.value(), "a").value()), "one");
  EXPECT_EQ(as_text(read_verified(*reader.value(), "a.b").value()), "two");
  EXPECT_EQ(read_verified(*reader.value(), "empty").value().size(), 0U);
  EXPECT_EQ(
      read_verified(*reader.value(), "nothing").error().code,
      ErrorCode::kNotFound);
}

TEST_F(LocalStoreTest, LeftoversOfAnInterruptedCommitAreRemovedAtOpen) {
  { auto store = open_store(); }
  const fs::path staged = folder_.path() / "staging" / "000000000009.sst";
  const fs::path linked = folder_.path() / "db" / "000999.sst";
  std::ofstream(staged) << "half a table";
  std::ofstream(linked) << "linked but not in the MANIFEST";
  auto store = open_store();
  EXPECT_FALSE(fs::exists(staged));
  EXPECT_FALSE(fs::exists(linked));
  EXPECT_THAT(listed(*store), IsEmpty());
}

TEST_F(LocalStoreTest, BitRotIsFoundByVerify) {
  std::string first;
  std::string second;
  {
    auto store = open_store();
    first = commit(*store, 1, 1U << 20U);
    second = commit(*store, 2, 1U << 20U);
  }
  std::vector<fs::path> tables;
  for (const auto& entry : fs::directory_iterator(folder_.path() / "db")) {
    if (entry.path().extension() == ".sst") {
      tables.push_back(entry.path());
    }
  }
  std::sort(tables.begin(), tables.end());
  ASSERT_EQ(tables.size(), 2U);
  damage(tables[0], 500'000);
  auto store = open_store();
  EXPECT_THAT(listed(*store), ElementsAre(first, second));
  const Status rotten = verify(*store->open(first).value());
  ASSERT_FALSE(rotten.ok());
  EXPECT_EQ(rotten.error().code, ErrorCode::kCorruption);
  EXPECT_TRUE(verify(*store->open(second).value()).ok());
}

TEST_F(LocalStoreTest, SnapshotWithARottenManifestStandsInTheListing) {
  std::string good;
  {
    auto store = open_store();
    good = commit(*store, 1);
    commit(*store, 2);
  }
  // The manifest is the last block of the second table.
  std::vector<fs::path> tables;
  for (const auto& entry : fs::directory_iterator(folder_.path() / "db")) {
    if (entry.path().extension() == ".sst") {
      tables.push_back(entry.path());
    }
  }
  std::sort(tables.begin(), tables.end());
  const auto bytes = read_file(tables.back()).value();
  const auto at = as_text(bytes).find("swavd-snapshot/1");
  ASSERT_NE(at, std::string_view::npos);
  damage(tables.back(), static_cast<std::streamoff>(at));
  auto store = open_store();
  const auto list = store->list();
  ASSERT_TRUE(list.ok()) << list.error().message;
  ASSERT_EQ(list.value().size(), 2U);
  EXPECT_EQ(list.value()[0].id, good);
  EXPECT_EQ(list.value()[1].id, "unreadable-000000000002");
  EXPECT_EQ(list.value()[1].verdict, kUnreadable);
  EXPECT_EQ(list.value()[1].generation, 1U);
  const auto reader = store->open(list.value()[1].id);
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.error().code, ErrorCode::kCorruption);
  EXPECT_TRUE(store->drop(list.value()[1].id).ok());
  EXPECT_THAT(listed(*store), ElementsAre(good));
}

/// The newest table, as the largest: moved to where a commit stages it.
fs::path stage_largest_table(const fs::path& folder) {
  fs::path largest;
  for (const auto& entry : fs::directory_iterator(folder / "db")) {
    if (entry.path().extension() == ".sst" &&
        (largest.empty() || entry.file_size() > fs::file_size(largest))) {
      largest = entry.path();
    }
  }
  const fs::path staged = folder / "staging" / "000000000001.sst";
  fs::rename(largest, staged);
  return staged;
}

TEST_F(LocalStoreTest, TableTakenAwayAfterAFailedSyncOfItsCommitGoesBack) {
  auto store = open_store();
  const std::string id = commit(*store, 1, 1U << 20U);
  store.reset();
  stage_largest_table(folder_.path());
  store = open_store();
  EXPECT_THAT(listed(*store), ElementsAre(id));
  auto reader = store->open(id);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  EXPECT_TRUE(verify(*reader.value()).ok());
  EXPECT_TRUE(fs::is_empty(folder_.path() / "staging"));
}

TEST_F(LocalStoreTest, AnotherTableDoesNotStandInForAMissingOne) {
  auto store = open_store();
  commit(*store, 1, 1U << 20U);
  store.reset();
  const fs::path staged = stage_largest_table(folder_.path());
  fs::resize_file(staged, fs::file_size(staged) - 1);
  const auto again = open_local_store(small_store(folder_.path().string()));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kCorruption);
}

TEST_F(LocalStoreTest, BallastIsSetAsideAndComesBack) {
  auto store = open_store();
  EXPECT_EQ(fs::file_size(folder_.path() / "ballast"), 2U << 20U);
  store.reset();
  fs::remove(folder_.path() / "ballast");
  store = open_store();
  EXPECT_TRUE(fs::exists(folder_.path() / "ballast"));
}

}  // namespace
}  // namespace swavd::state
