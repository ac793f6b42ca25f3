#include "ops/base/bounded_queue.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace swavd {
namespace {

using std::chrono::milliseconds;

TEST(BoundedQueue, HandsItemsOverInOrder) {
  BoundedQueue<int> queue(2);
  ASSERT_TRUE(queue.push(1));
  ASSERT_TRUE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), 2);
}

TEST(BoundedQueue, CloseWakesAProducerBlockedOnAFullQueue) {
  BoundedQueue<int> queue(1);
  ASSERT_TRUE(queue.push(1));
  bool accepted = true;
  std::thread producer([&] { accepted = queue.push(2); });
  queue.close();
  producer.join();
  EXPECT_FALSE(accepted);
}

TEST(BoundedQueue, CloseWakesAConsumerBlockedOnAnEmptyQueue) {
  BoundedQueue<int> queue(1);
  std::optional<int> got = 1;
  std::thread consumer([&] { got = queue.pop(); });
  queue.close();
  consumer.join();
  EXPECT_EQ(got, std::nullopt);
}

TEST(BoundedQueue, ItemsQueuedBeforeCloseAreStillDelivered) {
  BoundedQueue<int> queue(2);
  ASSERT_TRUE(queue.push(7));
  queue.close();
  EXPECT_EQ(queue.pop(), 7);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, TryPushLeavesTheItemWithTheCallerWhenFull) {
  BoundedQueue<std::vector<int>> queue(1);
  ASSERT_TRUE(queue.push({1}));
  std::vector<int> item = {2, 3};
  EXPECT_FALSE(queue.try_push(item));
  EXPECT_EQ(item.size(), 2U);
}

TEST(BoundedQueue, PopForGivesUpOnAnOpenEmptyQueue) {
  BoundedQueue<int> queue(1);
  EXPECT_EQ(queue.pop_for(milliseconds(1)), std::nullopt);
  EXPECT_FALSE(queue.closed());
}

TEST(BoundedQueue, CountsWhatPassedAndWhoWaited) {
  BoundedQueue<int> queue(1);
  ASSERT_TRUE(queue.push(1));
  ASSERT_TRUE(queue.pop().has_value());
  EXPECT_EQ(queue.pop_for(milliseconds(2)), std::nullopt);
  const QueueStats stats = queue.stats();
  EXPECT_EQ(stats.pushed, 1U);
  EXPECT_EQ(stats.popped, 1U);
  EXPECT_EQ(stats.depth, 0U);
  EXPECT_GE(stats.consumer_wait, milliseconds(2));
  EXPECT_EQ(stats.producer_wait.count(), 0);
}

TEST(BoundedQueue, PassesEverythingBetweenManyThreads) {
  constexpr int kEach = 2000;
  BoundedQueue<int> queue(3);
  std::vector<std::thread> producers;
  for (int t = 0; t < 3; ++t) {
    producers.emplace_back([&queue] {
      for (int i = 1; i <= kEach; ++i) {
        ASSERT_TRUE(queue.push(i));
      }
    });
  }
  long sum = 0;
  std::thread consumer([&] {
    while (const auto item = queue.pop()) {
      sum += *item;
    }
  });
  for (auto& producer : producers) {
    producer.join();
  }
  queue.close();
  consumer.join();
  EXPECT_EQ(sum, 3L * kEach * (kEach + 1) / 2);
}

}  // namespace
}  // namespace swavd
