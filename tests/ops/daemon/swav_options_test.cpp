#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ops/daemon/options.h"
#include "ops/service/config.h"

namespace swavd::daemon {
namespace {

trainer::TrainerOptions options_of(std::vector<std::string> overrides) {
  const service::LoadedConfig loaded =
      service::load_config({"", std::move(overrides), {}});
  EXPECT_EQ(service::format_mistakes(loaded.mistakes), "");
  return trainer_options(loaded.config);
}

TEST(SwavOptions, AreThoseOfTheConfiguration) {
  const trainer::TrainerOptions options = options_of(
      {"swav.prototypes=[300, 400]",
       "swav.assign_crops=3",
       "swav.hard_assignment_steps=-1",
       "swav.freeze_prototypes_steps=5",
       "swav.pass_per_crop=true"});
  EXPECT_EQ(options.head.prototypes, (std::vector<std::int64_t>{300, 400}));
  EXPECT_EQ(options.swav.assign_crops, 3);
  EXPECT_EQ(options.swav.hard_assignment_steps, trainer::SwavOptions::kAlways);
  EXPECT_EQ(options.swav.freeze_prototypes_steps, 5U);
  EXPECT_TRUE(options.swav.pass_per_crop);
  EXPECT_EQ(options.swav.queue_images, 0);
}

TEST(SwavOptions, TheQueueIsInWholeBatchesAndStartsAfterAWholeOne) {
  const trainer::TrainerOptions options = options_of(
      {"loader.batch_images=64",
       "swav.queue_images=300",
       "swav.queue_start_images=129"});
  EXPECT_EQ(options.swav.queue_images, 256);
  EXPECT_EQ(options.swav.queue_start_steps, 3U);
}

}  // namespace
}  // namespace swavd::daemon
