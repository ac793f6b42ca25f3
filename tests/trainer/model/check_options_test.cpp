#include "trainer/model/check_options.h"

#include <functional>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

TEST(CheckOptions, AcceptsTheDefaults) {
  EXPECT_TRUE(check_options({}).ok());
}

TEST(CheckOptions, NamesTheOptionThatIsOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::pair<std::string, std::function<void(TrainerOptions&)>> faults[] =
      {
          {"trunk.se_ratio",
           [](auto& o) {
             RegNetOptions trunk;
             trunk.se_ratio = 0.5;
             o.trunk = trunk;
           }},
          {"head.hidden",
           [](auto& o) {
             o.head.hidden = {512, 0};
           }},
          {"head.out", [](auto& o) { o.head.out = 0; }},
          {"head.prototypes", [](auto& o) { o.head.prototypes = {}; }},
          {"head.prototypes",
           [](auto& o) {
             o.head.prototypes = {300, 1};
           }},
          {"swav.temperature", [](auto& o) { o.swav.temperature = 0; }},
          {"swav.epsilon", [nan](auto& o) { o.swav.epsilon = nan; }},
          {"swav.sinkhorn_iterations",
           [](auto& o) { o.swav.sinkhorn_iterations = 0; }},
          {"swav.assign_crops", [](auto& o) { o.swav.assign_crops = 0; }},
          {"swav.hard_assignment_steps",
           [](auto& o) { o.swav.hard_assignment_steps = -2; }},
          {"swav.queue_images", [](auto& o) { o.swav.queue_images = -1; }},
          {"optimizer.momentum", [](auto& o) { o.optimizer.momentum = 1; }},
          {"optimizer.weight_decay",
           [](auto& o) { o.optimizer.weight_decay = -1e-5; }},
          {"optimizer.trust", [](auto& o) { o.optimizer.trust = 0; }},
          {"ema", [](auto& o) { o.ema = 1; }},
          {"checkpoint_groups", [](auto& o) { o.checkpoint_groups = 1; }},
          {"checkpoint_groups", [](auto& o) { o.checkpoint_groups = 14; }},
          {"threads", [](auto& o) { o.threads = -1; }},
          {"eval_size", [](auto& o) { o.eval_size = 257; }},
      };
  for (const auto& [name, break_it] : faults) {
    TrainerOptions options;
    break_it(options);
    const Status status = check_options(options);
    ASSERT_FALSE(status.ok()) << name;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(status.error().message.starts_with(name + " must be"))
        << status.error().message;
  }
}

}  // namespace
}  // namespace swavd::trainer
