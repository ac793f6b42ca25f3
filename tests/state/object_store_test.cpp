#include "state/object_store.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/sha256.h"
#include "tests/state/memory_object_store.h"
#include "tests/state/object_store_contract.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using testing::HasSubstr;

class DirectoryKind final : public StoreKind {
 public:
  std::shared_ptr<ObjectStore> open() override {
    auto store = open_object_store("file://" + folder_ / "root");
    SWAVD_CHECK(store.ok());
    return std::move(store).value();
  }

 private:
  TemporaryFolder folder_;
};

class MemoryKind final : public StoreKind {
 public:
  std::shared_ptr<ObjectStore> open() override { return store_; }

 private:
  std::shared_ptr<ObjectStore> store_ = std::make_shared<MemoryObjectStore>();
};

using Kinds = testing::Types<DirectoryKind, MemoryKind>;
INSTANTIATE_TYPED_TEST_SUITE_P(Local, ObjectStoreContract, Kinds);

TEST(DirectoryObjectStore, EtagIsTheDigestOfTheContent) {
  DirectoryKind kind;
  auto store = kind.open();
  EXPECT_EQ(
      put_text(*store, "k", "abc", kAlways).value(),
      sha256_hex(as_bytes("abc")));
}

TEST(DirectoryObjectStore, KeysThatLeaveTheFolderAreRefused) {
  DirectoryKind kind;
  auto store = kind.open();
  for (const std::string key :
       {"", "/a", "a//b", "a/", "../a", "a/../../b", ".lock", "a/.put-1"}) {
    EXPECT_EQ(
        put_text(*store, key, "x", kAlways).error().code,
        ErrorCode::kInvalidArgument)
        << key;
    EXPECT_EQ(get_text(*store, key).error().code, ErrorCode::kInvalidArgument)
        << key;
    EXPECT_FALSE(store->remove(key).ok()) << key;
  }
  EXPECT_FALSE(store->list("../").ok());
}

TEST(DirectoryObjectStore, TemporaryFilesOfTheDeadAreCleared) {
  const TemporaryFolder folder;
  auto store = open_object_store("file://" + folder.path().string());
  ASSERT_TRUE(store.ok());
  std::filesystem::create_directory(folder / "a");
  const std::string dead = folder / "a/.put-1-0";
  std::ofstream(dead) << "half";
  EXPECT_THAT(store.value()->list("").value(), IsEmpty());
  ASSERT_TRUE(put_text(*store.value(), "a/k", "x", kAlways).ok());
  EXPECT_FALSE(std::filesystem::exists(dead));
}

TEST(DirectoryObjectStore, FoldersGoWithTheirLastObject) {
  const TemporaryFolder folder;
  auto store = open_object_store("file://" + folder.path().string());
  ASSERT_TRUE(store.ok());
  ASSERT_TRUE(put_text(*store.value(), "a/b/c", "x", kAlways).ok());
  ASSERT_TRUE(put_text(*store.value(), "a/d", "x", kAlways).ok());
  ASSERT_TRUE(store.value()->remove("a/b/c").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "a/b"));
  ASSERT_TRUE(store.value()->remove("a/d").ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  EXPECT_TRUE(std::filesystem::exists(folder.path()));
}

TEST(ObjectStore, OtherSchemesAreRefused) {
  for (const std::string url :
       {"", "models", "ftp://host/x", "file://", "file://relative"}) {
    const auto store = open_object_store(url);
    ASSERT_FALSE(store.ok()) << url;
    EXPECT_EQ(store.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(store.error().message, HasSubstr("file:///FOLDER"));
  }
}

}  // namespace
}  // namespace swavd::state
