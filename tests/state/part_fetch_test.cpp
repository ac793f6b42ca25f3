#include "state/follow/part_fetch.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/files.h"
#include "tests/state/memory_object_store.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBytes = 100'000;
constexpr std::uint64_t kPart = 7'000;

/// Counts what is fetched in parts, and can break in the middle of it.
class CountingStore final : public ObjectStore {
 public:
  Result<std::string> put(
      const std::string& key,
      std::uint64_t bytes,
      const std::function<Result<Bytes>()>& source,
      const PutCondition& condition) override {
    return inner_.put(key, bytes, source, condition);
  }

  Result<ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) override {
    ++gets;
    return inner_.get(key, sink);
  }

  Result<std::optional<ObjectInfo>> get_if_changed(
      const std::string& key,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override {
    return inner_.get_if_changed(key, etag, [&](Bytes piece) {
      changed_bytes += piece.size();
      return sink(piece);
    });
  }

  Result<ObjectInfo> get_range(
      const std::string& key,
      std::uint64_t offset,
      std::uint64_t bytes,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override {
    if (ranges++ >= break_after) {
      return Error{ErrorCode::kUnavailable, "the store is away"};
    }
    fetched_bytes += bytes;
    return inner_.get_range(key, offset, bytes, etag, sink);
  }

  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    ++lists;
    return inner_.list(prefix);
  }

  Status remove(const std::string& key) override { return inner_.remove(key); }

  std::atomic<int> gets{0};
  std::atomic<int> lists{0};
  std::atomic<int> ranges{0};
  std::atomic<int> break_after{1'000'000};
  std::atomic<std::uint64_t> fetched_bytes{0};
  std::atomic<std::uint64_t> changed_bytes{0};

 private:
  MemoryObjectStore inner_;
};

class PartFetchTest : public testing::Test {
 protected:
  PartFetchTest() : run_(open_remote_run(store_, "main")) {
    auto local = open_local_store(small_store(folder_ / "local"));
    SWAVD_CHECK(local.ok());
    local_ = std::move(local).value();
    const auto id =
        local_->commit(sample_manifest(1), sample_state(10, 1, kBytes));
    SWAVD_CHECK(id.ok());
    SWAVD_CHECK(run_->upload(*local_->open(id.value()).value()).ok());
    reader_ = run_->open(id.value()).value();
    sequential_ = local_->open(id.value()).value();
    fs::create_directory(folder_ / "got");
  }

  Result<std::uint64_t> fetch(
      SnapshotReader& reader,
      const std::stop_token& stop = {}) {
    return fetch_files(
        reader, reader.manifest().files, folder_ / "got", {4, kPart}, stop);
  }

  [[nodiscard]] std::uint64_t all_bytes() const {
    std::uint64_t bytes = 0;
    for (const FileEntry& file : reader_->manifest().files) {
      bytes += file.bytes;
    }
    return bytes;
  }

  void expect_whole() const {
    for (const FileEntry& file : reader_->manifest().files) {
      const auto bytes = read_file(folder_ / ("got/" + file.name));
      ASSERT_TRUE(bytes.ok());
      EXPECT_EQ(sha256_hex(bytes.value()), file.sha256) << file.name;
      EXPECT_FALSE(fs::exists(folder_ / ("got/" + file.name + ".parts")));
    }
  }

  TemporaryFolder folder_;
  CountingStore store_;
  std::unique_ptr<SnapshotStore> local_;
  std::unique_ptr<RemoteRun> run_;
  std::unique_ptr<SnapshotReader> reader_;
  std::unique_ptr<SnapshotReader> sequential_;
};

TEST_F(PartFetchTest, PartsMakeTheWholeAndNoByteIsFetchedTwice) {
  const auto fetched = fetch(*reader_);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message;
  EXPECT_EQ(fetched.value(), all_bytes());
  EXPECT_EQ(store_.fetched_bytes, all_bytes());
  EXPECT_GT(store_.ranges, static_cast<int>(2 * kBytes / kPart));
  expect_whole();
}

TEST_F(PartFetchTest, ReaderWithoutRangesGivesWholeFiles) {
  ASSERT_FALSE(sequential_->has_ranges());
  const auto fetched = fetch(*sequential_);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message;
  EXPECT_EQ(fetched.value(), all_bytes());
  expect_whole();
}

TEST_F(PartFetchTest, InterruptedFetchGoesOnWhereItWas) {
  store_.break_after = 9;
  ASSERT_EQ(fetch(*reader_).error().code, ErrorCode::kUnavailable);
  const std::uint64_t before = store_.fetched_bytes;
  ASSERT_GT(before, 0U);
  store_.break_after = 1'000'000;
  const auto rest = fetch(*reader_);
  ASSERT_TRUE(rest.ok()) << rest.error().message;
  EXPECT_EQ(rest.value(), all_bytes() - before);
  EXPECT_EQ(store_.fetched_bytes, all_bytes());
  expect_whole();
}

TEST_F(PartFetchTest, PartThatWasTornMeanwhileIsFetchedAgain) {
  store_.break_after = 12;
  ASSERT_FALSE(fetch(*reader_).ok());
  const std::uint64_t before = store_.fetched_bytes;
  store_.break_after = 1'000'000;
  damage(folder_ / "got/head.safetensors", 20);
  const auto rest = fetch(*reader_);
  ASSERT_TRUE(rest.ok()) << rest.error().message;
  EXPECT_GT(rest.value(), all_bytes() - before);
  expect_whole();
}

TEST_F(PartFetchTest, ListOfPartsThatLiesCostsASecondFetchAndNoMore) {
  store_.break_after = 12;
  ASSERT_FALSE(fetch(*reader_).ok());
  store_.break_after = 1'000'000;
  // A part of another snapshot, consistently written down.
  const std::string name = "config.json";
  const std::uint64_t bytes = fs::file_size(folder_ / ("got/" + name));
  const std::string other(bytes, 'x');
  std::ofstream(folder_ / ("got/" + name)) << other;
  std::ofstream(folder_ / ("got/" + name + ".parts"))
      << "0 " << bytes << " " << sha256_hex(as_bytes(other)) << "\n";
  const auto rest = fetch(*reader_);
  ASSERT_TRUE(rest.ok()) << rest.error().message;
  expect_whole();
}

TEST_F(PartFetchTest, DamagedSourceIsFoundAndNothingOfItIsKept) {
  const auto& files = reader_->manifest().files;
  const auto model =
      std::find_if(files.begin(), files.end(), [](const FileEntry& file) {
        return file.name == "model.safetensors";
      });
  ASSERT_NE(model, files.end());
  ASSERT_TRUE(put_text(
                  store_,
                  "main/snapshots/" + reader_->id() + "/model.safetensors",
                  std::string(model->bytes, 'x'),
                  PutCondition{})
                  .ok());
  EXPECT_EQ(fetch(*reader_).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(fs::file_size(folder_ / "got/model.safetensors.parts"), 0U);
}

TEST_F(PartFetchTest, StopEndsItBetweenTwoPieces) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(
      fetch(*reader_, stop.get_token()).error().code, ErrorCode::kCancelled);
}

TEST_F(PartFetchTest, PollingAnUnchangedRunMovesNoBody) {
  auto latest = run_->poll_latest();
  ASSERT_TRUE(latest.ok() && latest.value());
  EXPECT_EQ(latest.value()->healthy, reader_->id());
  const int gets = store_.gets;
  const int lists = store_.lists;
  for (int i = 0; i < 5; ++i) {
    latest = run_->poll_latest();
    ASSERT_TRUE(latest.ok());
    EXPECT_FALSE(latest.value());
  }
  EXPECT_EQ(store_.changed_bytes, 0U);
  EXPECT_EQ(store_.gets, gets);
  EXPECT_EQ(store_.lists, lists);
}

}  // namespace
}  // namespace swavd::state
