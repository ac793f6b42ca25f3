#include <filesystem>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/stage.h"
#include "state/snapshot_store.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LocalCatalogTest : public testing::Test {
 protected:
  LocalCatalogTest() { reopen(); }

  void reopen() {
    store_.reset();
    auto store = open_local_store(small_store(folder_.path().string()));
    SWAVD_CHECK(store.ok());
    store_ = std::move(store).value();
  }

  std::string commit(std::uint64_t number, std::size_t bytes = 1000) {
    const auto id = store_->commit(
        sample_manifest(number), sample_state(number * 10, number, bytes));
    EXPECT_TRUE(id.ok());
    return id.value();
  }

  std::unique_ptr<SnapshotCatalog> open_beside() const {
    auto catalog = open_local_catalog(folder_.path().string());
    SWAVD_CHECK(catalog.ok());
    return std::move(catalog).value();
  }

  static std::vector<std::string> listed(SnapshotCatalog& catalog) {
    const auto list = catalog.list();
    EXPECT_TRUE(list.ok()) << list.error().message;
    return ids(list.value());
  }

  TemporaryFolder folder_;
  std::unique_ptr<SnapshotStore> store_;
};

TEST_F(LocalCatalogTest, ReadsBesideALivingWriter) {
  const auto id = commit(1, 20U << 20U);
  auto catalog = open_beside();
  EXPECT_THAT(listed(*catalog), ElementsAre(id));
  EXPECT_TRUE(verify(*catalog->open(id).value()).ok());
}

TEST_F(LocalCatalogTest, PinsBesideTheWriterHoldAndNoneIsLost) {
  constexpr std::size_t kMany = 12;
  std::vector<std::string> all;
  for (std::uint64_t number = 1; number <= kMany; ++number) {
    all.push_back(commit(number));
  }
  {
    std::vector<Stage> pinners;
    for (std::size_t first = 0; first < 3; ++first) {
      pinners.emplace_back("pin", [&, first](const std::stop_token&) {
        auto catalog = open_beside();
        for (std::size_t i = first; i < kMany; i += 3) {
          EXPECT_TRUE(catalog->set_pinned(all[i], true).ok());
        }
      });
    }
  }
  EXPECT_EQ(store_->pinned().value(), all);
  EXPECT_EQ(
      store_->drop(all.front()).error().code, ErrorCode::kInvalidArgument);
  auto catalog = open_beside();
  ASSERT_TRUE(catalog->set_pinned(all.front(), false).ok());
  ASSERT_TRUE(store_->drop(all.front()).ok());
  EXPECT_EQ(
      catalog->set_pinned(all.front(), true).error().code,
      ErrorCode::kNotFound);
  EXPECT_EQ(catalog->pinned().value().size(), kMany - 1);
}

TEST_F(LocalCatalogTest, EachListingSeesWhatWasCommittedAndDroppedSince) {
  auto catalog = open_beside();
  EXPECT_THAT(listed(*catalog), IsEmpty());
  const auto first = commit(1);
  EXPECT_THAT(listed(*catalog), ElementsAre(first));
  const auto second = commit(2);
  ASSERT_TRUE(store_->drop(first).ok());
  EXPECT_THAT(listed(*catalog), ElementsAre(second));
  EXPECT_TRUE(verify(*catalog->open(second).value()).ok());
}

TEST_F(LocalCatalogTest, FollowsTheWriterAcrossItsRestart) {
  const auto first = commit(1);
  auto catalog = open_beside();
  EXPECT_THAT(listed(*catalog), ElementsAre(first));
  reopen();
  const auto second = commit(2);
  EXPECT_THAT(listed(*catalog), ElementsAre(first, second));
  reopen();
  reopen();
  const auto third = commit(3);
  EXPECT_THAT(listed(*catalog), ElementsAre(first, second, third));
}

TEST_F(LocalCatalogTest, ReaderKeepsWhatTheWriterDropsMeanwhile) {
  const auto id = commit(1, 20U << 20U);
  auto catalog = open_beside();
  auto reader = catalog->open(id);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(store_->drop(id).ok());
  EXPECT_THAT(listed(*catalog), IsEmpty());
  EXPECT_TRUE(verify(*reader.value()).ok());
}

TEST_F(LocalCatalogTest, ReadsAStoreWithoutItsWriter) {
  const auto id = commit(1);
  store_.reset();
  auto catalog = open_beside();
  EXPECT_THAT(listed(*catalog), ElementsAre(id));
}

TEST_F(LocalCatalogTest, LeavesNothingBehindAndChangesNothing) {
  commit(1);
  store_.reset();
  const auto scratch = [] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(
             std::filesystem::temp_directory_path())) {
      count +=
          entry.path().filename().string().starts_with("swavd-reader-") ? 1 : 0;
    }
    return count;
  };
  const auto files = [&] {
    std::set<std::string> names;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(folder_.path())) {
      names.insert(entry.path().string());
    }
    return names;
  };
  const auto before = files();
  {
    auto catalog = open_beside();
    EXPECT_EQ(listed(*catalog).size(), 1U);
    EXPECT_GE(scratch(), 1U);
  }
  EXPECT_EQ(files(), before);
}

TEST(LocalCatalog, FolderWithoutAStoreIsNotFound) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      open_local_catalog(folder.path().string()).error().code,
      ErrorCode::kNotFound);
}

}  // namespace
}  // namespace swavd::state
