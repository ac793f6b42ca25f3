#include "ingest/kafka/ready_queues.h"

#include <gtest/gtest.h>

#include "ops/base/stage.h"

namespace swavd::ingest {

namespace {

using namespace std::chrono_literals;

ReadyItem
item_of(std::int32_t partition, std::int64_t offset, std::size_t bytes = 10) {
  ReadyItem item;
  item.partition = partition;
  item.record.address = {"t", partition, offset};
  item.record.payload.resize(bytes);
  return item;
}

Address popped(ReadyQueues& queues) {
  auto item = queues.pop_any(0ms);
  EXPECT_TRUE(item.ok() && item.value());
  return item.value()->record.address;
}

}  // namespace

TEST(ReadyQueues, PartitionsTakeTurnsAndKeepTheirOrder) {
  ReadyQueues queues({3, 7}, 1 << 20, [] {});
  for (const std::int64_t offset : {0, 1, 2}) {
    queues.push(0, item_of(3, offset));
  }
  queues.push(1, item_of(7, 0));
  EXPECT_EQ(popped(queues), (Address{"t", 3, 0}));
  EXPECT_EQ(popped(queues), (Address{"t", 7, 0}));
  EXPECT_EQ(popped(queues), (Address{"t", 3, 1}));
  EXPECT_EQ(popped(queues), (Address{"t", 3, 2}));
  EXPECT_FALSE(queues.pop_any(0ms).value().has_value());
}

TEST(ReadyQueues, AFullPartitionLeavesTheOthersTheirRoom) {
  int room = 0;
  ReadyQueues queues({0, 1}, 10000, [&room] { ++room; });
  queues.push(0, item_of(0, 0, 20000));  // larger than the bound: taken
  EXPECT_FALSE(queues.has_room(0));
  EXPECT_TRUE(queues.has_room(1));
  EXPECT_EQ(room, 0);
  (void)popped(queues);
  EXPECT_TRUE(queues.has_room(0));
  EXPECT_EQ(room, 1);
}

TEST(ReadyQueues, TinyRecordsCountToo) {
  ReadyQueues queues({0}, 10000, [] {});
  int held = 0;
  while (queues.has_room(0)) {
    queues.push(0, item_of(0, held++, 0));
    ASSERT_LT(held, 1000);
  }
}

TEST(ReadyQueues, WhatIsToldComesOnceAndBeforeTheRecords) {
  ReadyQueues queues({0}, 10000, [] {});
  queues.push(0, item_of(0, 0));
  queues.tell({ErrorCode::kUnavailable, "down"});
  EXPECT_EQ(queues.pop_any(0ms).error().message, "down");
  EXPECT_EQ(popped(queues).offset, 0);
}

TEST(ReadyQueues, AnErrorEndsItsPartitionAfterTheRecordsBeforeIt) {
  ReadyQueues queues({0}, 10000, [] {});
  queues.push(0, item_of(0, 0));
  ReadyItem end;
  end.error = Error{ErrorCode::kNotFound, "gone"};
  queues.push(0, std::move(end));
  EXPECT_EQ(popped(queues).offset, 0);
  EXPECT_EQ(queues.pop_any(0ms).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(queues.pop(0, 0ms).error().code, ErrorCode::kNotFound);
}

TEST(ReadyQueues, APartitionThatIsNotReadIsRefused) {
  ReadyQueues queues({0}, 10000, [] {});
  EXPECT_EQ(queues.pop(1, 0ms).error().code, ErrorCode::kInvalidArgument);
}

TEST(ReadyQueues, CloseWakesABlockedPopAndDropsWhatIsThere) {
  ReadyQueues queues({0}, 10000, [] {});
  Result<std::optional<ReadyItem>> outcome = std::optional<ReadyItem>{};
  Stage popper(
      "popper", [&](std::stop_token) { outcome = queues.pop(0, 30000ms); });
  queues.close();
  popper.join();
  EXPECT_EQ(outcome.error().code, ErrorCode::kCancelled);
  queues.push(0, item_of(0, 0));
  EXPECT_EQ(queues.pop_any(0ms).error().code, ErrorCode::kCancelled);
}

TEST(ReadyQueues, APushWakesABlockedPop) {
  ReadyQueues queues({0}, 10000, [] {});
  Result<std::optional<ReadyItem>> outcome = std::optional<ReadyItem>{};
  Stage popper(
      "popper", [&](std::stop_token) { outcome = queues.pop_any(30000ms); });
  queues.push(0, item_of(0, 5));
  popper.join();
  ASSERT_TRUE(outcome.ok() && outcome.value());
  EXPECT_EQ(outcome.value()->record.address.offset, 5);
}

}  // namespace swavd::ingest
