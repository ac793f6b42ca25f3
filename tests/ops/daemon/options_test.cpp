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

TEST(LoaderOptions, DecodePicturesAsTheyAreStoredUnlessAskedOtherwise) {
  service::Config config;
  const auto stored = loader_options(config).decode;
  EXPECT_FALSE(stored.exif_orientation);
  EXPECT_FALSE(stored.color_profiles);
  EXPECT_FALSE(stored.fill_truncated);
  config.loader.exif_orientation = true;
  EXPECT_TRUE(loader_options(config).decode.exif_orientation);
  config.loader.color_profiles = true;
  EXPECT_TRUE(loader_options(config).decode.color_profiles);
  config.loader.truncated = "fill";
  EXPECT_TRUE(loader_options(config).decode.fill_truncated);
}

}  // namespace
}  // namespace swavd::daemon
