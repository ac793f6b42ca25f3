#pragma once

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/stage.h"
#include "state/object_store.h"
#include "tests/state/sample.h"

// What every object store must do; each implementation instantiates it.

namespace swavd::state {

using testing::ElementsAre;
using testing::IsEmpty;

inline const PutCondition kAlways{};
inline const PutCondition kAbsent{PutCondition::Kind::kAbsent, {}};

inline PutCondition matches(const std::string& etag) {
  return {PutCondition::Kind::kMatches, etag};
}

/// Opens one more view of the same objects.
class StoreKind {
 public:
  virtual ~StoreKind() = default;
  virtual std::shared_ptr<ObjectStore> open() = 0;

  /// Why the tests cannot be run on it here; empty: they can.
  [[nodiscard]] virtual std::string why_absent() const { return {}; }
};

template <typename Kind>
class ObjectStoreContract : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = kind_.why_absent(); !why.empty()) {
      GTEST_SKIP() << why;
    }
  }

  static std::vector<std::string> keys(
      ObjectStore& store,
      const std::string& prefix) {
    const auto list = store.list(prefix);
    EXPECT_TRUE(list.ok()) << list.error().message;
    std::vector<std::string> names;
    for (const ObjectInfo& info : list.value()) {
      names.push_back(info.key);
    }
    return names;
  }

  Kind kind_;
};

TYPED_TEST_SUITE_P(ObjectStoreContract);

TYPED_TEST_P(ObjectStoreContract, WhatIsPutIsGot) {
  auto store = this->kind_.open();
  const auto etag = put_text(*store, "a/b.json", "hello", kAlways);
  ASSERT_TRUE(etag.ok()) << etag.error().message;
  std::string text;
  const auto info = store->get("a/b.json", [&](Bytes piece) {
    text += as_text(piece);
    return ok_status();
  });
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(text, "hello");
  EXPECT_EQ(info.value().bytes, 5U);
  EXPECT_EQ(info.value().etag, etag.value());
  EXPECT_EQ(get_text(*store, "a/b.json").value(), "hello");
}

TYPED_TEST_P(ObjectStoreContract, LargeObjectsComeInPiecesAndInOrder) {
  auto store = this->kind_.open();
  const ByteVector body = sample_bytes(5, 3'500'001);
  std::size_t given = 0;
  const auto etag = store->put(
      "big",
      body.size(),
      [&]() -> Result<Bytes> {
        const std::size_t taken =
            std::min<std::size_t>(body.size() - given, 1'000'000);
        const Bytes piece = Bytes(body).subspan(given, taken);
        given += taken;
        return piece;
      },
      kAlways);
  ASSERT_TRUE(etag.ok());
  ByteVector got;
  ASSERT_TRUE(store
                  ->get(
                      "big",
                      [&](Bytes piece) {
                        got.insert(got.end(), piece.begin(), piece.end());
                        return ok_status();
                      })
                  .ok());
  EXPECT_EQ(got, body);
}

TYPED_TEST_P(ObjectStoreContract, AbsentObjectsAreNotFoundAndRemovedFine) {
  auto store = this->kind_.open();
  EXPECT_EQ(get_text(*store, "none").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store->remove("none").ok());
  EXPECT_TRUE(store->remove("no/such/folder").ok());
  ASSERT_TRUE(put_text(*store, "a/b/c", "x", kAlways).ok());
  EXPECT_EQ(get_text(*store, "a/b").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(get_text(*store, "a/b/c/d").error().code, ErrorCode::kNotFound);
}

TYPED_TEST_P(ObjectStoreContract, AnUnchangedObjectIsNotGotAgain) {
  auto store = this->kind_.open();
  const auto tag = put_text(*store, "a", "first", kAlways);
  ASSERT_TRUE(tag.ok()) << tag.error().message;
  std::string got;
  const auto keep = [&got](Bytes piece) {
    got += as_text(piece);
    return ok_status();
  };
  auto same = store->get_if_changed("a", tag.value(), keep);
  ASSERT_TRUE(same.ok()) << same.error().message;
  EXPECT_FALSE(same.value());
  EXPECT_EQ(got, "");
  ASSERT_TRUE(put_text(*store, "a", "second", kAlways).ok());
  auto changed = store->get_if_changed("a", tag.value(), keep);
  ASSERT_TRUE(changed.ok()) << changed.error().message;
  ASSERT_TRUE(changed.value());
  EXPECT_EQ(got, "second");
  EXPECT_NE(changed.value()->etag, tag.value());
  EXPECT_EQ(
      store->get_if_changed("absent", tag.value(), keep).error().code,
      ErrorCode::kNotFound);
}

TYPED_TEST_P(ObjectStoreContract, PartsOfAnObjectAreGot) {
  auto store = this->kind_.open();
  const auto tag = put_text(*store, "a/b", "0123456789", kAlways);
  ASSERT_TRUE(tag.ok()) << tag.error().message;
  const auto part = [&](std::uint64_t offset,
                        std::uint64_t bytes,
                        const std::string& etag) -> Result<std::string> {
    std::string got;
    auto info = store->get_range("a/b", offset, bytes, etag, [&](Bytes piece) {
      got += as_text(piece);
      return ok_status();
    });
    if (!info.ok()) {
      return info.error();
    }
    EXPECT_EQ(info.value().bytes, 10U);
    return got;
  };
  EXPECT_EQ(part(3, 4, "").value(), "3456");
  EXPECT_EQ(part(0, 10, tag.value()).value(), "0123456789");
  EXPECT_EQ(part(8, 100, tag.value()).value(), "89");
  EXPECT_EQ(part(11, 1, "").error().code, ErrorCode::kInvalidArgument);
  ASSERT_TRUE(put_text(*store, "a/b", "abcdefghij", kAlways).ok());
  EXPECT_EQ(part(0, 4, tag.value()).error().code, ErrorCode::kFenced);
}

TYPED_TEST_P(ObjectStoreContract, ListsByPrefixInOrder) {
  auto store = this->kind_.open();
  EXPECT_THAT(this->keys(*store, ""), IsEmpty());
  for (const char* key : {"r/lineage/2", "r/lineage/10", "r/snap/a/x", "s/1"}) {
    ASSERT_TRUE(put_text(*store, key, "x", kAlways).ok());
  }
  EXPECT_THAT(
      this->keys(*store, "r/lineage/"),
      ElementsAre("r/lineage/10", "r/lineage/2"));
  EXPECT_THAT(this->keys(*store, "r/lineage/1"), ElementsAre("r/lineage/10"));
  EXPECT_THAT(this->keys(*store, "r/li"), testing::SizeIs(2));
  EXPECT_THAT(this->keys(*store, "x/"), IsEmpty());
  EXPECT_THAT(
      this->keys(*store, ""),
      ElementsAre("r/lineage/10", "r/lineage/2", "r/snap/a/x", "s/1"));
  ASSERT_TRUE(store->remove("r/lineage/2").ok());
  EXPECT_THAT(this->keys(*store, "r/lineage/"), ElementsAre("r/lineage/10"));
}

TYPED_TEST_P(ObjectStoreContract, PutIfAbsentHappensOnce) {
  auto store = this->kind_.open();
  ASSERT_TRUE(put_text(*store, "k", "one", kAbsent).ok());
  const auto again = put_text(*store, "k", "two", kAbsent);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kFenced);
  EXPECT_EQ(get_text(*store, "k").value(), "one");
  ASSERT_TRUE(store->remove("k").ok());
  EXPECT_TRUE(put_text(*store, "k", "three", kAbsent).ok());
}

TYPED_TEST_P(ObjectStoreContract, PutIfMatchingNeedsTheNewestTag) {
  auto store = this->kind_.open();
  EXPECT_EQ(
      put_text(*store, "k", "x", matches("tag")).error().code,
      ErrorCode::kFenced);
  const auto first = put_text(*store, "k", "one", kAlways);
  ASSERT_TRUE(first.ok());
  const auto second = put_text(*store, "k", "two", matches(first.value()));
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(
      put_text(*store, "k", "three", matches(first.value())).error().code,
      ErrorCode::kFenced);
  EXPECT_EQ(get_text(*store, "k").value(), "two");
}

TYPED_TEST_P(ObjectStoreContract, OfManyRacingPutsOneWins) {
  constexpr int kRacers = 8;
  for (int round = 0; round < 5; ++round) {
    const std::string key = "race/" + std::to_string(round);
    std::latch ready(kRacers);
    std::atomic<int> won{0};
    std::atomic<int> fenced{0};
    {
      std::vector<Stage> racers;
      for (int racer = 0; racer < kRacers; ++racer) {
        racers.emplace_back("racer", [&, racer](const std::stop_token&) {
          auto store = this->kind_.open();
          ready.arrive_and_wait();
          const auto put =
              put_text(*store, key, std::to_string(racer), kAbsent);
          if (put.ok()) {
            ++won;
          } else if (put.error().code == ErrorCode::kFenced) {
            ++fenced;
          }
        });
      }
    }
    EXPECT_EQ(won, 1);
    EXPECT_EQ(fenced, kRacers - 1);
  }
}

TYPED_TEST_P(ObjectStoreContract, RacingCompareAndSwapsLoseNoUpdate) {
  constexpr int kRacers = 4;
  constexpr int kEach = 10;
  auto store = this->kind_.open();
  ASSERT_TRUE(put_text(*store, "counter", "0", kAlways).ok());
  {
    std::vector<Stage> racers;
    for (int racer = 0; racer < kRacers; ++racer) {
      racers.emplace_back("racer", [&](const std::stop_token&) {
        auto mine = this->kind_.open();
        for (int done = 0; done < kEach;) {
          std::string text;
          const auto info = mine->get("counter", [&](Bytes piece) {
            text += as_text(piece);
            return ok_status();
          });
          SWAVD_CHECK(info.ok());
          const auto put = put_text(
              *mine,
              "counter",
              std::to_string(std::stoi(text) + 1),
              matches(info.value().etag));
          done += put.ok() ? 1 : 0;
        }
      });
    }
  }
  EXPECT_EQ(
      get_text(*store, "counter").value(), std::to_string(kRacers * kEach));
}

TYPED_TEST_P(ObjectStoreContract, FailingSourceLeavesNothing) {
  auto store = this->kind_.open();
  int calls = 0;
  const auto put = store->put(
      "a/k",
      10,
      [&]() -> Result<Bytes> {
        if (++calls == 2) {
          return Error{ErrorCode::kCorruption, "bad disk"};
        }
        return as_bytes("abc");
      },
      kAlways);
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(this->keys(*store, ""), IsEmpty());
  EXPECT_FALSE(
      store
          ->put(
              "a/k", 10, [] { return Result<Bytes>(Bytes()); }, kAlways)
          .ok());
}

TYPED_TEST_P(ObjectStoreContract, PutsAndRemovalsInOneFolderDoNotDisturb) {
  std::vector<Stage> workers;
  std::atomic<int> failures{0};
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back("worker", [&, worker](const std::stop_token&) {
      auto store = this->kind_.open();
      for (int i = 0; i < 25; ++i) {
        const std::string key = "shared/folder/" + std::to_string(worker);
        failures += put_text(*store, key, "x", kAlways).ok() ? 0 : 1;
        failures += store->list("shared/").ok() ? 0 : 1;
        failures += store->remove(key).ok() ? 0 : 1;
      }
    });
  }
  workers.clear();
  EXPECT_EQ(failures, 0);
}

REGISTER_TYPED_TEST_SUITE_P(
    ObjectStoreContract,
    WhatIsPutIsGot,
    LargeObjectsComeInPiecesAndInOrder,
    AbsentObjectsAreNotFoundAndRemovedFine,
    AnUnchangedObjectIsNotGotAgain,
    PartsOfAnObjectAreGot,
    ListsByPrefixInOrder,
    PutIfAbsentHappensOnce,
    PutIfMatchingNeedsTheNewestTag,
    OfManyRacingPutsOneWins,
    RacingCompareAndSwapsLoseNoUpdate,
    FailingSourceLeavesNothing,
    PutsAndRemovalsInOneFolderDoNotDisturb);

}  // namespace swavd::state
