// The S3 store over a real server.
#include "tests/state/s3/real_s3.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/object_store.h"
#include "tests/state/object_store_contract.h"

namespace swavd::state {
namespace {

class RealS3Kind final : public StoreKind {
 public:
  RealS3Kind() {
    if (RealS3* const server = RealS3::shared(why_); server != nullptr) {
      options_ = server->options();
      url_ = server->new_url();
    }
  }

  [[nodiscard]] std::string why_absent() const override { return why_; }

  std::shared_ptr<ObjectStore> open() override {
    auto store = open_object_store(url_, options_);
    SWAVD_CHECK(store.ok());
    return std::move(store).value();
  }

 protected:
  S3Options options_;

 private:
  std::string why_;
  std::string url_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(RealS3, ObjectStoreContract, RealS3Kind);

/// As RealS3Kind, with everything that has a byte in parts.
class RealS3InParts : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    server_ = RealS3::shared(why);
    if (server_ == nullptr) {
      GTEST_SKIP() << why;
    }
    S3Options options = server_->options();
    options.multipart_bytes = 1U << 20U;
    options.part_bytes = 5U << 20U;
    auto store = open_object_store(server_->new_url(), options);
    ASSERT_TRUE(store.ok());
    store_ = std::move(store).value();
  }

  Result<std::string> put(
      const std::string& key,
      const ByteVector& body,
      const PutCondition& condition = {}) {
    std::size_t given = 0;
    return store_->put(
        key,
        body.size(),
        [&]() -> Result<Bytes> {
          constexpr std::size_t kPiece = 1'500'000;
          const std::size_t taken = std::min(body.size() - given, kPiece);
          given += taken;
          return Bytes(body).subspan(given - taken, taken);
        },
        condition);
  }

  RealS3* server_ = nullptr;
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(RealS3InParts, LargeObjectsAreTheSameAgain) {
  const ByteVector body = sample_bytes(7, 12'345'678);  // 5 + 5 + 2 MiB
  const auto etag = put("a/model.safetensors", body);
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  ByteVector got;
  const auto info = store_->get("a/model.safetensors", [&](Bytes piece) {
    got.insert(got.end(), piece.begin(), piece.end());
    return ok_status();
  });
  ASSERT_TRUE(info.ok()) << info.error().message;
  EXPECT_EQ(got, body);
  EXPECT_EQ(info.value().etag, etag.value());
}

TEST_F(RealS3InParts, ConditionsHoldForObjectsInParts) {
  const ByteVector body = sample_bytes(8, 6'000'000);
  ASSERT_TRUE(put("k", body, kAbsent).ok());
  const auto again = put("k", sample_bytes(9, 6'000'000), kAbsent);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kFenced) << again.error().message;
}

TEST_F(RealS3InParts, FailingSourceLeavesNoPartsBehind) {
  int calls = 0;
  const ByteVector piece = sample_bytes(10, 6'000'000);
  const auto put = store_->put(
      "k",
      18'000'000,
      [&]() -> Result<Bytes> {
        if (++calls == 2) {
          return Error{ErrorCode::kCorruption, "bad disk"};
        }
        return Bytes(piece);
      },
      {});
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(store_->list("").value().size(), 0U);
  const auto cleared = store_->discard_unfinished("");
  EXPECT_TRUE(cleared.ok()) << cleared.error().message;
}

TEST(RealS3, HonoursConditionsAsValidateProbesThem) {
  std::string why;
  RealS3* const server = RealS3::shared(why);
  if (server == nullptr) {
    GTEST_SKIP() << why;
  }
  auto store = open_object_store(server->new_url(), server->options());
  ASSERT_TRUE(store.ok());
  const auto probed = probe_conditional_writes(*store.value(), "main/");
  EXPECT_TRUE(probed.ok()) << probed.error().message;
  EXPECT_EQ(store.value()->list("").value().size(), 0U);
}

TEST(RealS3, WrongKeyIsRefusedWithoutShowingIt) {
  std::string why;
  RealS3* const server = RealS3::shared(why);
  if (server == nullptr) {
    GTEST_SKIP() << why;
  }
  const TemporaryFolder folder;
  std::ofstream(folder / "credentials")
      << "[default]\naws_access_key_id = NOSUCHKEY\n"
         "aws_secret_access_key = CANARY\n";
  S3Options options = server->options();
  options.credentials_file = folder / "credentials";
  auto store = open_object_store(server->new_url(), options);
  ASSERT_TRUE(store.ok());
  const auto list = store.value()->list("");
  ASSERT_FALSE(list.ok());
  EXPECT_EQ(list.error().code, ErrorCode::kUnavailable);
  // SeaweedFS answers the one, versitygw the other.
  EXPECT_THAT(
      list.error().message,
      testing::AnyOf(
          testing::HasSubstr("403 InvalidAccessKeyId"),
          testing::HasSubstr("404 XAdminUserNotFound")));
  EXPECT_THAT(list.error().message, testing::HasSubstr("replace them"));
  EXPECT_THAT(list.error().message, testing::Not(testing::HasSubstr("CANARY")));
}

TEST(RealS3, AnUploadIsHeldToItsRate) {
  std::string why;
  RealS3* const server = RealS3::shared(why);
  if (server == nullptr) {
    GTEST_SKIP() << why;
  }
  constexpr std::uint64_t kRate = 4U << 20U;
  S3Options options = server->options();
  options.upload_bytes_per_second = kRate;
  auto store = open_object_store(server->new_url(), options);
  ASSERT_TRUE(store.ok());
  const ByteVector body = sample_bytes(11, kRate);
  const auto begin = std::chrono::steady_clock::now();
  const auto put = put_text(*store.value(), "k", as_text(body), {});
  const auto passed = std::chrono::steady_clock::now() - begin;
  ASSERT_TRUE(put.ok()) << put.error().message;
  // A bound from below: no load can break it. curl's first burst is free.
  EXPECT_GT(passed, std::chrono::milliseconds(500));
}

TEST(RealS3, ManyPagesAreListedWhole) {
  std::string why;
  RealS3* const server = RealS3::shared(why);
  if (server == nullptr) {
    GTEST_SKIP() << why;
  }
  auto store = open_object_store(server->new_url(), server->options());
  ASSERT_TRUE(store.ok());
  constexpr int kObjects = 1003;  // a page has 1000
  for (int i = 0; i < kObjects; ++i) {
    ASSERT_TRUE(
        put_text(*store.value(), fmt::format("o/{:04}", i), "x", {}).ok());
  }
  const auto list = store.value()->list("o/");
  ASSERT_TRUE(list.ok()) << list.error().message;
  ASSERT_EQ(list.value().size(), kObjects);
  EXPECT_EQ(list.value().back().key, "o/1002");
}

}  // namespace
}  // namespace swavd::state
