#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/object_store.h"
#include "state/run_record.h"
#include "state/snapshot_ref.h"
#include "tests/state/memory_object_store.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Passes everything on, counts puts, and fails when told to.
class WatchedStore final : public ObjectStore {
 public:
  Result<std::string> put(
      const std::string& key,
      std::uint64_t bytes,
      const std::function<Result<Bytes>()>& source,
      const PutCondition& condition) override {
    ++puts[key];
    if (const auto before = before_put) {
      before(key);
    }
    if (key.find(refused) != std::string::npos && !refused.empty()) {
      return Error{ErrorCode::kUnavailable, "the network is away"};
    }
    auto etag = inner.put(key, bytes, source, condition);
    if (lose_answer && key.find("lineage/") != std::string::npos) {
      // The client tried again, and then the condition failed.
      return Error{ErrorCode::kFenced, "exists already"};
    }
    return etag;
  }

  Result<ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) override {
    ++gets[key];
    return inner.get(key, sink);
  }

  Result<std::optional<ObjectInfo>> get_if_changed(
      const std::string& key,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override {
    ++gets[key];
    return inner.get_if_changed(key, etag, sink);
  }

  Result<ObjectInfo> get_range(
      const std::string& key,
      std::uint64_t offset,
      std::uint64_t bytes,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override {
    ++gets[key];
    return inner.get_range(key, offset, bytes, etag, sink);
  }

  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    return inner.list(prefix);
  }

  Status remove(const std::string& key) override {
    removed.push_back(key);
    const Status status = inner.remove(key);
    if (after_remove) {
      std::exchange(after_remove, nullptr)();
    }
    return status;
  }

  MemoryObjectStore inner;
  std::map<std::string, int> puts;
  std::map<std::string, int> gets;
  std::vector<std::string> removed;
  std::string refused;
  std::function<void()> after_remove;  ///< once
  std::function<void(const std::string& key)> before_put;
  bool lose_answer = false;
};

class RemoteRunTest : public testing::Test {
 protected:
  /// A committed snapshot, as an uploader has it.
  OpenedSnapshot snapshot(
      std::uint64_t commit,
      std::uint64_t generation = 1,
      const std::string& verdict = "healthy",
      std::uint64_t seed = 0) {
    const std::string folder = scratch_ / std::to_string(++folders_);
    Manifest manifest = sample_manifest(commit, generation);
    manifest.health.verdict = verdict;
    const auto id = write_snapshot_folder(
        manifest, sample_state(commit * 10, commit + seed, 3000), folder);
    EXPECT_TRUE(id.ok()) << id.error().message;
    auto opened = open_snapshot(folder);
    SWAVD_CHECK(opened.ok());
    return std::move(opened).value();
  }

  std::string upload(std::uint64_t commit, std::uint64_t generation = 1) {
    auto one = snapshot(commit, generation);
    const Status status = run().upload(*one.reader);
    EXPECT_TRUE(status.ok()) << status.error().message;
    return one.reader->id();
  }

  /// A process of its own: nothing remembered.
  RemoteRun& run() {
    runs_.push_back(open_remote_run(store_, "main"));
    return *runs_.back();
  }

  std::vector<std::string> keys(const std::string& prefix = "") {
    std::vector<std::string> names;
    const auto list = store_.list(prefix);
    for (const ObjectInfo& info : list.value()) {
      names.push_back(info.key);
    }
    return names;
  }

  std::string latest() { return get_text(store_, "main/latest.json").value(); }

  TemporaryFolder scratch_;
  int folders_ = 0;
  WatchedStore store_;
  std::vector<std::unique_ptr<RemoteRun>> runs_;
};

TEST_F(RemoteRunTest, LayoutIsWhatThePageSays) {
  auto one = snapshot(17, 3);
  ASSERT_TRUE(run().upload(*one.reader).ok());
  const std::string id = one.reader->id();
  const std::string folder = "main/snapshots/" + id + "/";
  EXPECT_THAT(
      keys(),
      ElementsAre(
          "main/journal/" + id + ".json",
          "main/latest.json",
          "main/lineage/000000000017.json",
          folder + "config.json",
          folder + "head.safetensors",
          folder + "manifest.json",
          folder + "model.safetensors",
          folder + "preprocessor_config.json",
          folder + "state.safetensors"));
  EXPECT_EQ(
      get_text(store_, "main/lineage/000000000017.json").value(),
      R"({"id":")" + id + R"(","generation":3,"parent":""})");
  EXPECT_EQ(latest(), R"({"newest":")" + id + R"(","healthy":")" + id + "\"}");
  EXPECT_EQ(
      get_text(store_, "main/journal/" + id + ".json").value(),
      R"({"id":")" + id +
          R"(","generation":3,"files":["config.json","head.safetensors",)"
          R"("model.safetensors","preprocessor_config.json",)"
          R"("state.safetensors","manifest.json"]})");
  EXPECT_EQ(
      get_text(store_, folder + "manifest.json").value(),
      one.reader->manifest_text());
}

TEST_F(RemoteRunTest, UploadedSnapshotsAreListedAndReadBack) {
  const auto first = upload(1);
  const auto second = upload(2);
  auto& there = run();
  const auto list = there.list();
  ASSERT_TRUE(list.ok()) << list.error().message;
  EXPECT_THAT(ids(list.value()), ElementsAre(first, second));
  EXPECT_EQ(list.value()[1].step, 20U);
  EXPECT_EQ(list.value()[1].images, 2560U);
  EXPECT_EQ(list.value()[1].verdict, "healthy");
  EXPECT_GT(list.value()[1].bytes, 6000U);
  auto reader = there.open(second);
  ASSERT_TRUE(reader.ok());
  EXPECT_TRUE(verify(*reader.value()).ok());
  EXPECT_EQ(
      there.open("000000000010-00000000").error().code, ErrorCode::kNotFound);
}

TEST_F(RemoteRunTest, ListingAgainFetchesNothingTwice) {
  upload(1);
  upload(2);
  auto& there = run();
  store_.gets.clear();
  ASSERT_TRUE(there.list().ok());
  auto once = store_.gets;
  EXPECT_EQ(once.size(), 5U);
  ASSERT_TRUE(there.list().ok());
  ++once["main/generation.json"];  // the one that changes
  EXPECT_EQ(store_.gets, once);
}

TEST_F(RemoteRunTest, UploadingAgainIsFineAndCopiesNothing) {
  auto one = snapshot(1);
  ASSERT_TRUE(run().upload(*one.reader).ok());
  const auto before = store_.puts;
  ASSERT_TRUE(run().upload(*one.reader).ok());
  for (const auto& [key, count] : store_.puts) {
    if (key != "main/latest.json") {
      EXPECT_EQ(count, before.at(key)) << key;
    }
  }
}

TEST_F(RemoteRunTest, InterruptedUploadDoesNotExistAndGoesOnWhereItWas) {
  auto one = snapshot(1);
  store_.refused = "preprocessor_config.json";
  const Status first = run().upload(*one.reader);
  ASSERT_FALSE(first.ok());
  EXPECT_EQ(first.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(run().list().value(), IsEmpty());
  EXPECT_THAT(keys("main/lineage/"), IsEmpty());
  store_.refused.clear();
  ASSERT_TRUE(run().upload(*one.reader).ok());
  const std::string folder = "main/snapshots/" + one.reader->id() + "/";
  EXPECT_EQ(store_.puts[folder + "model.safetensors"], 1);
  EXPECT_EQ(store_.puts[folder + "preprocessor_config.json"], 2);
  EXPECT_TRUE(verify(*run().open(one.reader->id()).value()).ok());
}

TEST_F(RemoteRunTest, LoserOfACommitNumberIsFenced) {
  auto winner = snapshot(5, 1, "healthy", /*seed=*/1);
  auto loser = snapshot(5, 1, "healthy", /*seed=*/2);
  ASSERT_NE(winner.reader->id(), loser.reader->id());
  ASSERT_TRUE(run().upload(*winner.reader).ok());
  const std::string before = latest();
  const Status status = run().upload(*loser.reader);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kFenced);
  EXPECT_THAT(status.error().message, HasSubstr(winner.reader->id()));
  EXPECT_THAT(ids(run().list().value()), ElementsAre(winner.reader->id()));
  EXPECT_EQ(latest(), before);
}

TEST_F(RemoteRunTest, YoungerGenerationTakesANumberFromAnOlderOne) {
  auto old = snapshot(5, /*generation=*/1, "healthy", /*seed=*/1);
  auto young = snapshot(5, /*generation=*/2, "healthy", /*seed=*/2);
  ASSERT_TRUE(run().upload(*old.reader).ok());
  const Status status = run().upload(*young.reader);
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_THAT(ids(run().list().value()), ElementsAre(young.reader->id()));
  EXPECT_THAT(latest(), HasSubstr(young.reader->id()));
  EXPECT_EQ(run().upload(*old.reader).error().code, ErrorCode::kFenced);
}

TEST_F(RemoteRunTest, WhatARollbackLeftIsListedButNeitherNewestNorHealthy) {
  upload(1);
  upload(2);
  upload(3);
  const auto all = run().list().value();
  RunRecord record;
  record.generation = 2;
  record.rollbacks = {{2, all[0].id, all[0].generation, all[0].commit}};
  ASSERT_TRUE(
      put_text(store_, "main/generation.json", to_json(record), {}).ok());
  const auto list = run().list().value();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_FALSE(list[0].off_line);
  EXPECT_TRUE(list[1].off_line);
  EXPECT_TRUE(list[2].off_line);
  EXPECT_TRUE(run().open(list[2].id).ok());
  ASSERT_TRUE(run().refresh_latest().ok());
  EXPECT_THAT(latest(), HasSubstr("\"newest\":\"" + list[0].id));
  EXPECT_EQ(choose_snapshot(list, "").value(), list[0].id);
  upload(4, /*generation=*/2);
  EXPECT_EQ(
      choose_snapshot(run().list().value(), "").value(),
      run().list().value().back().id);
}

TEST_F(RemoteRunTest, OlderGenerationIsFencedEvenAtAFreeNumber) {
  upload(8, /*generation=*/2);
  for (const std::uint64_t commit : {7, 9}) {
    auto old = snapshot(commit, /*generation=*/1);
    const Status status = run().upload(*old.reader);
    ASSERT_FALSE(status.ok()) << commit;
    EXPECT_EQ(status.error().code, ErrorCode::kFenced);
  }
}

TEST_F(RemoteRunTest, LostAnswerToTheCommitIsRecognisedAsOurs) {
  auto one = snapshot(1);
  store_.lose_answer = true;
  const Status status = run().upload(*one.reader);
  EXPECT_TRUE(status.ok()) << status.error().message;
}

TEST_F(RemoteRunTest, LatestNamesTheNewestHealthyBesideTheNewest) {
  auto good = snapshot(1);
  auto bad = snapshot(2, 1, "collapsing");
  ASSERT_TRUE(run().upload(*bad.reader).ok());
  EXPECT_EQ(
      latest(), R"({"newest":")" + bad.reader->id() + R"(","healthy":null})");
  ASSERT_TRUE(run().upload(*good.reader).ok());
  EXPECT_EQ(
      latest(),
      R"({"newest":")" + bad.reader->id() + R"(","healthy":")" +
          good.reader->id() + "\"}");
}

TEST_F(RemoteRunTest, DropTakesTheLineageEntryFirst) {
  const auto first = upload(1);
  const auto second = upload(2);
  store_.removed.clear();
  ASSERT_TRUE(run().drop(second).ok());
  ASSERT_FALSE(store_.removed.empty());
  EXPECT_EQ(store_.removed.front(), "main/lineage/000000000002.json");
  EXPECT_THAT(ids(run().list().value()), ElementsAre(first));
  EXPECT_THAT(keys("main/snapshots/" + second), IsEmpty());
  EXPECT_EQ(
      latest(), R"({"newest":")" + first + R"(","healthy":")" + first + "\"}");
  EXPECT_EQ(run().drop(second).error().code, ErrorCode::kNotFound);
}

TEST_F(RemoteRunTest, PinnedSnapshotIsNotDropped) {
  const auto first = upload(1);
  const auto second = upload(2);
  ASSERT_TRUE(run().set_pinned(first, true).ok());
  ASSERT_TRUE(run().set_pinned(second, true).ok());
  ASSERT_TRUE(run().set_pinned(second, false).ok());
  EXPECT_THAT(run().pinned().value(), ElementsAre(first));
  EXPECT_EQ(
      get_text(store_, "main/pins/" + first + ".json").value(),
      R"({"id":")" + first + "\"}");
  EXPECT_EQ(run().drop(first).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(run().drop(second).ok());
  EXPECT_TRUE(verify(*run().open(first).value()).ok());
  EXPECT_EQ(run().set_pinned(second, true).error().code, ErrorCode::kNotFound);
}

TEST_F(RemoteRunTest, PinSetWhileItIsDroppedWinsOrIsRefused) {
  const auto id = upload(1);
  Status pinned = ok_status();
  store_.after_remove = [&] {
    // Its entry is gone, its files are not: too late.
    pinned = run().set_pinned(id, true);
  };
  EXPECT_TRUE(run().drop(id).ok());
  EXPECT_EQ(pinned.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(run().pinned().value(), IsEmpty());

  const auto other = upload(2);
  store_.after_remove = [&] {
    // As a pinner that had found the entry before it went.
    EXPECT_TRUE(
        put_text(store_, "main/pins/" + other + ".json", "{}", {}).ok());
  };
  EXPECT_EQ(run().drop(other).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(verify(*run().open(other).value()).ok());
  EXPECT_THAT(latest(), HasSubstr(other));
}

class RemoteSweepTest : public RemoteRunTest {
 protected:
  /// An upload that was cut off before its `file`; gives the id.
  std::string interrupted(
      std::uint64_t commit,
      std::uint64_t generation,
      const std::string& file) {
    auto one = snapshot(commit, generation);
    store_.refused = one.reader->id() + "/" + file;
    EXPECT_FALSE(run().upload(*one.reader).ok());
    store_.refused.clear();
    return one.reader->id();
  }

  std::vector<std::string> left_of(const std::string& id) {
    return keys("main/snapshots/" + id);
  }
};

TEST_F(RemoteSweepTest, InterruptedUploadsOfOlderOwnersGo) {
  const auto before = upload(1, /*generation=*/1);
  const auto half = interrupted(2, 1, "model.safetensors");
  const auto nearly = interrupted(3, 1, "manifest.json");
  ASSERT_FALSE(left_of(half).empty());
  ASSERT_EQ(left_of(nearly).size(), 5U);
  // Not before the new owner has committed: the old one might, until then.
  EXPECT_EQ(run().sweep(2, {}).value(), 0U);
  EXPECT_EQ(left_of(nearly).size(), 5U);
  const auto after = upload(3, /*generation=*/2);
  EXPECT_EQ(run().sweep(2, {}).value(), 2U);
  EXPECT_THAT(left_of(half), IsEmpty());
  EXPECT_THAT(left_of(nearly), IsEmpty());
  EXPECT_THAT(
      keys("main/journal/"),
      ElementsAre(
          "main/journal/" + before + ".json",
          "main/journal/" + after + ".json"));
  EXPECT_THAT(ids(run().list().value()), ElementsAre(before, after));
  EXPECT_TRUE(verify(*run().open(before).value()).ok());
  EXPECT_EQ(run().sweep(2, {}).value(), 0U);
}

TEST_F(RemoteSweepTest, PendingAndNewerUploadsStay) {
  upload(1, /*generation=*/2);
  const auto pending = interrupted(2, 2, "model.safetensors");
  const auto newer = interrupted(3, 3, "model.safetensors");
  const auto kept = left_of(newer);
  EXPECT_EQ(run().sweep(2, {pending}).value(), 0U);
  EXPECT_FALSE(left_of(pending).empty());
  EXPECT_EQ(left_of(newer), kept);
  // An owner that has been overtaken sweeps nothing at all.
  EXPECT_EQ(run().sweep(1, {}).value(), 0U);
  EXPECT_EQ(run().sweep(2, {}).value(), 1U);
  EXPECT_THAT(left_of(pending), IsEmpty());
  EXPECT_EQ(left_of(newer), kept);
}

TEST_F(RemoteSweepTest, ForeignObjectsAreNeverTouched) {
  const auto first = upload(1);
  const auto second = upload(2);
  const auto half = interrupted(3, 1, "state.safetensors");
  const std::vector<std::string> foreign{
      "main/notes.txt",
      "main/snapshots/" + first + "/notes.txt",
      "main/snapshots/" + half + "/model.safetensors.bak",
      "main/snapshots/not-ours/model.safetensors",
      "other/snapshots/" + half + "/model.safetensors"};
  for (const std::string& key : foreign) {
    ASSERT_TRUE(put_text(store_, key, "precious", {}).ok());
  }
  ASSERT_TRUE(run().drop(first).ok());
  EXPECT_EQ(run().sweep(1, {}).value(), 1U);
  for (const std::string& key : foreign) {
    EXPECT_EQ(get_text(store_, key).value(), "precious") << key;
  }
  EXPECT_THAT(
      left_of(first), ElementsAre("main/snapshots/" + first + "/notes.txt"));
  EXPECT_THAT(
      left_of(half),
      ElementsAre("main/snapshots/" + half + "/model.safetensors.bak"));
  EXPECT_TRUE(verify(*run().open(second).value()).ok());
}

TEST_F(RemoteSweepTest, InterruptedDropIsFinished) {
  const auto first = upload(1);
  const auto second = upload(2);
  // Killed after the lineage entry went.
  ASSERT_TRUE(store_.remove("main/lineage/000000000001.json").ok());
  ASSERT_FALSE(left_of(first).empty());
  EXPECT_EQ(run().sweep(1, {}).value(), 1U);
  EXPECT_THAT(left_of(first), IsEmpty());
  EXPECT_TRUE(verify(*run().open(second).value()).ok());
}

TEST_F(RemoteSweepTest, FencedUploadTakesItsFilesAway) {
  auto old = snapshot(3, /*generation=*/1);
  store_.before_put = [&](const std::string& key) {
    if (key.ends_with("/manifest.json")) {
      store_.before_put = nullptr;
      upload(3, /*generation=*/2);
    }
  };
  const Status status = run().upload(*old.reader);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kFenced);
  EXPECT_THAT(left_of(old.reader->id()), IsEmpty());
  EXPECT_EQ(keys("main/journal/").size(), 1U);
}

TEST_F(RemoteSweepTest, SnapshotOfBeforeTheJournalIsDroppedByItsManifest) {
  const auto id = upload(1);
  upload(2);
  ASSERT_TRUE(store_.remove("main/journal/" + id + ".json").ok());
  ASSERT_TRUE(run().drop(id).ok());
  EXPECT_THAT(left_of(id), IsEmpty());
}

TEST_F(RemoteRunTest, RunThatListedBeforeADropNoticesIt) {
  const auto first = upload(1);
  const auto second = upload(2);
  auto& watching = run();
  ASSERT_THAT(ids(watching.list().value()), ElementsAre(first, second));
  ASSERT_TRUE(run().drop(first).ok());
  EXPECT_THAT(ids(watching.list().value()), ElementsAre(second));
  EXPECT_EQ(watching.open(first).error().code, ErrorCode::kNotFound);
}

TEST_F(RemoteRunTest, DamagedFileIsNeitherUploadedNorRead) {
  auto one = snapshot(1);
  damage(scratch_ / (std::to_string(folders_) + "/model.safetensors"), 2000);
  const Status status = run().upload(*one.reader);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(keys("main/lineage/"), IsEmpty());
  for (const std::string& key : keys()) {
    EXPECT_THAT(key, testing::Not(HasSubstr("model.safetensors")));
  }
}

TEST_F(RemoteRunTest, MissingAndChangedObjectsAreFound) {
  const auto id = upload(1);
  const std::string model = "main/snapshots/" + id + "/model.safetensors";
  ASSERT_TRUE(put_text(store_, model, "other", {}).ok());
  EXPECT_EQ(
      verify(*run().open(id).value()).error().code, ErrorCode::kCorruption);
  ASSERT_TRUE(store_.remove(model).ok());
  EXPECT_EQ(
      verify(*run().open(id).value()).error().code, ErrorCode::kCorruption);
  ASSERT_TRUE(store_.remove("main/snapshots/" + id + "/manifest.json").ok());
  EXPECT_EQ(run().open(id).error().code, ErrorCode::kCorruption);
  const auto list = run().list();
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list.value().at(0).verdict, kUnreadable);
  EXPECT_EQ(list.value().at(0).id, id);
}

}  // namespace
}  // namespace swavd::state
