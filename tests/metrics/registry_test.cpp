#include "metrics/registry.h"

#include <cctype>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace swavd::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Registry, ServesHelpAndTypeOfEveryMetricFromTheStart) {
  const std::string text = Registry().serialize();
  for (const Definition& metric : definitions()) {
    EXPECT_THAT(
        text,
        HasSubstr(
            "# HELP " + std::string(metric.name) + " " +
            std::string(metric.help) + "\n"));
    EXPECT_THAT(text, HasSubstr("# TYPE " + std::string(metric.name) + " "));
  }
}

TEST(Registry, StartsSeriesWithoutLabelsAtZero) {
  const std::string text = Registry().serialize();
  EXPECT_THAT(text, HasSubstr("\nswavd_train_steps_total 0\n"));
  EXPECT_THAT(text, HasSubstr("\nswavd_train_loss_nats 0\n"));
  EXPECT_THAT(text, HasSubstr("\nswavd_snapshot_stall_seconds_count 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("\nswavd_messages_rejected_total{")));
}

TEST(Registry, CountsPerLabelValue) {
  Registry registry;
  registry.add(Id::kRejected, 1, {"not_an_image"});
  registry.add(Id::kRejected, 2, {"too_large"});
  registry.add(Id::kRejected, 1, {"not_an_image"});
  EXPECT_EQ(registry.value(Id::kRejected, {"not_an_image"}), 2);
  EXPECT_THAT(
      registry.serialize(),
      HasSubstr("swavd_messages_rejected_total{reason=\"not_an_image\"} 2\n"
                "swavd_messages_rejected_total{reason=\"too_large\"} 2\n"));
}

TEST(Registry, PutsLabelValuesUnderTheNamesOfTheTableInItsOrder) {
  Registry registry;
  registry.add(Id::kSnapshotFailures, 1, {"local", "disk_full"});
  const std::string text = registry.serialize();
  EXPECT_THAT(text, HasSubstr("tier=\"local\""));
  EXPECT_THAT(text, HasSubstr("reason=\"disk_full\""));
}

TEST(Registry, EscapesLabelValues) {
  Registry registry;
  registry.add(Id::kRejected, 1, {"a\"b\\c\nd"});
  EXPECT_THAT(
      registry.serialize(), HasSubstr("{reason=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Registry, MirrorsATotalAndIgnoresASmallerOne) {
  Registry registry;
  registry.raise_to(Id::kDecodeSeconds, 2.5);
  registry.raise_to(Id::kDecodeSeconds, 2.0);
  EXPECT_EQ(registry.value(Id::kDecodeSeconds), 2.5);
  registry.raise_to(Id::kDecodeSeconds, 4.0);
  EXPECT_EQ(registry.value(Id::kDecodeSeconds), 4.0);
}

TEST(Registry, MirrorsATotalExactlyFromManyThreads) {
  Registry registry;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&registry] {
      for (int total = 1; total <= 500; ++total) {
        registry.raise_to(Id::kPipelineWait, total, {"decode", "input"});
      }
    });
  }
  threads.clear();
  EXPECT_EQ(registry.value(Id::kPipelineWait, {"decode", "input"}), 500);
}

TEST(Registry, ReadingAnUntouchedSeriesGivesZeroAndCreatesNone) {
  const Registry registry;
  EXPECT_EQ(registry.value(Id::kRejected, {"too_large"}), 0);
  EXPECT_THAT(registry.serialize(), Not(HasSubstr("too_large")));
}

TEST(Registry, SortsObservationsIntoTheSharedBuckets) {
  Registry registry;
  registry.observe(Id::kTrainStepDuration, 0.02, {"forward"});
  registry.observe(Id::kTrainStepDuration, 400, {"forward"});
  const std::string text = registry.serialize();
  EXPECT_THAT(text, HasSubstr("phase=\"forward\",le=\"0.01\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("phase=\"forward\",le=\"0.025\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("phase=\"forward\",le=\"300\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("phase=\"forward\",le=\"+Inf\"} 2\n"));
}

TEST(Registry, RefreshesTheStandardProcessMetrics) {
  Registry registry;
  (void)registry.serialize();
  EXPECT_GT(registry.value(Id::kProcessResident), 1e6);
  EXPECT_GE(registry.value(Id::kProcessOpenFds), 3);
  EXPECT_GT(
      registry.value(Id::kProcessMaxFds), registry.value(Id::kProcessOpenFds));
  const double started = registry.value(Id::kProcessStart);
  const auto now = static_cast<double>(::time(nullptr));
  EXPECT_GT(started, now - 3600);
  EXPECT_LE(started, now + 2);
}

TEST(RegistryDeathTest, RefusesMisuse) {
  Registry registry;
  EXPECT_DEATH(registry.set(Id::kTrainSteps, 1), "family != nullptr");
  EXPECT_DEATH(registry.add(Id::kRejected), "names.size");
  EXPECT_DEATH(registry.add(Id::kTrainSteps, -1), "amount >= 0");
}

}  // namespace
}  // namespace swavd::metrics
