#include "ops/daemon/step_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace swavd::daemon {
namespace {

using metrics::Id;
using testing::HasSubstr;
using testing::Not;

TEST(StepMetrics, TrustRatiosAreAGaugeForEachPercentile) {
  metrics::Registry registry;
  trainer::StepReport report;
  report.trust_ratios = trainer::TrustRatios{0.25, 0.5, 4};
  observe_trust_ratios(registry, report);
  EXPECT_EQ(registry.value(Id::kTrainTrustRatio, {"10"}), 0.25);
  EXPECT_EQ(registry.value(Id::kTrainTrustRatio, {"50"}), 0.5);
  EXPECT_EQ(registry.value(Id::kTrainTrustRatio, {"90"}), 4);

  report.trust_ratios->p50 = 1;
  observe_trust_ratios(registry, report);
  EXPECT_THAT(
      registry.serialize(),
      HasSubstr("swavd_train_trust_ratio{percentile=\"50\"} 1\n"));
}

TEST(StepMetrics, AnOptimiserWithoutTrustRatiosHasNoSuchSeries) {
  metrics::Registry registry;
  observe_trust_ratios(registry, trainer::StepReport());
  EXPECT_THAT(registry.serialize(), Not(HasSubstr("swavd_train_trust_ratio{")));
}

}  // namespace
}  // namespace swavd::daemon
