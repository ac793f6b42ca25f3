#include "ops/daemon/options.h"

#include <gtest/gtest.h>

namespace swavd::daemon {
namespace {

TEST(HealthOptions, CountInStepsOfTheBatch) {
  service::Config config;
  config.loader.batch_images = 64;
  EXPECT_EQ(health_options(config).settled_after_images, 25'600U);
  EXPECT_EQ(health_options(config).diverging_after_images, 6'400U);
}

TEST(HealthOptions, WaitForTheWarmUpAndForFrozenPrototypes) {
  service::Config config;
  config.loader.batch_images = 64;
  config.schedule.warmup_images = 1'000'000;
  EXPECT_EQ(health_options(config).settled_after_images, 1'000'000U);
  config.schedule.warmup_images = 0;
  config.swav.freeze_prototypes_steps = 313;
  EXPECT_EQ(health_options(config).settled_after_images, 513U * 64);
}

}  // namespace
}  // namespace swavd::daemon
