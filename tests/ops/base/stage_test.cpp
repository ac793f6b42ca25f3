#include "ops/base/stage.h"

#include <atomic>
#include <condition_variable>
#include <string>

#include <gtest/gtest.h>
#include <pthread.h>

#include "ops/base/bounded_queue.h"

namespace swavd {
namespace {

TEST(Stage, RunsOnAThreadOfItsName) {
  std::string name(16, '\0');
  {
    Stage stage("decode-7", [&](const std::stop_token&) {
      pthread_getname_np(pthread_self(), name.data(), name.size());
    });
    stage.join();
  }
  EXPECT_EQ(name.c_str(), std::string("decode-7"));
}

TEST(Stage, DestructionStopsABodyThatWaitsOnItsToken) {
  std::atomic<bool> ended = false;
  {
    const Stage stage("waiter", [&](const std::stop_token& stop) {
      BoundedQueue<int> queue(1);
      const std::stop_callback close(stop, [&] { queue.close(); });
      (void)queue.pop();
      ended = true;
    });
  }
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace swavd
