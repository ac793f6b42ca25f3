#include "scheduler/prototype_window.h"

#include <vector>

#include <gtest/gtest.h>

namespace swavd::scheduler {
namespace {

TEST(PrototypeWindow, CountsUseAndPerplexity) {
  PrototypeWindow window(4, 8);
  window.add(std::vector<std::int32_t>{0, 1, 2, 3, 0, 1, 2, 3});
  EXPECT_EQ(window.use().used, 4);
  EXPECT_NEAR(window.use().perplexity, 4.0, 1e-12);
}

TEST(PrototypeWindow, ForgetsImagesThatLeftTheWindow) {
  PrototypeWindow window(4, 4);
  window.add(std::vector<std::int32_t>{0, 1, 2, 3});
  window.add(std::vector<std::int32_t>{3, 3, 3, 3});
  EXPECT_EQ(window.use().used, 1);
  EXPECT_EQ(window.use().images, 4);
  EXPECT_NEAR(window.use().perplexity, 1.0, 1e-12);
}

TEST(PrototypeWindow, IsEmptyAtFirst) {
  const PrototypeWindow window(4, 4);
  EXPECT_EQ(window.use().images, 0);
  EXPECT_EQ(window.use().perplexity, 0.0);
}

}  // namespace
}  // namespace swavd::scheduler
