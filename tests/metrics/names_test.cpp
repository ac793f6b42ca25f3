#include "metrics/names.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace swavd::metrics {
namespace {

const std::filesystem::path kPage =
    std::filesystem::path(SWAVD_TEST_SOURCE_DIR) / "ops/docs/metrics.md";

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(MetricNames, StandInTheTableInTheOrderOfTheirIds) {
  std::size_t index = 0;
  for (const Definition& metric : definitions()) {
    EXPECT_EQ(static_cast<std::size_t>(metric.id), index++) << metric.name;
  }
  EXPECT_GT(index, 50U);
}

TEST(MetricNames, AreUniqueLowerCaseAndPrefixed) {
  std::set<std::string_view> seen;
  for (const Definition& metric : definitions()) {
    EXPECT_TRUE(seen.insert(metric.name).second) << metric.name;
    EXPECT_THAT(
        std::string(metric.name),
        testing::MatchesRegex("(swavd|process)_[a-z][a-z0-9]*(_[a-z0-9]+)*"));
  }
}

TEST(MetricNames, CountersAndOnlyCountersEndInTotal) {
  for (const Definition& metric : definitions()) {
    EXPECT_EQ(metric.name.ends_with("_total"), metric.type == Type::kCounter)
        << metric.name;
  }
}

TEST(MetricNames, HistogramsAreOfSecondsAndTimesAreTimestamps) {
  for (const Definition& metric : definitions()) {
    if (metric.type == Type::kHistogram) {
      EXPECT_TRUE(metric.name.ends_with("_seconds")) << metric.name;
    }
    if (metric.help.starts_with("When ")) {
      EXPECT_TRUE(
          metric.name.ends_with("_timestamp_seconds") ||
          metric.name == "process_start_time_seconds")
          << metric.name;
    }
  }
}

TEST(MetricNames, UseBaseUnitsAndLeaveReservedSuffixesAlone) {
  for (const Definition& metric : definitions()) {
    for (const std::string_view word :
         {"_ms",
          "_millis",
          "_milliseconds",
          "_us",
          "_minutes",
          "_hours",
          "_kb",
          "_mb",
          "_megabytes",
          "_percent",
          "_sec",
          "_secs"}) {
      const std::string padded = std::string(metric.name) + "_";
      EXPECT_EQ(padded.find(std::string(word) + "_"), std::string::npos)
          << metric.name;
    }
    for (const std::string_view suffix : {"_count", "_sum", "_bucket"}) {
      EXPECT_FALSE(metric.name.ends_with(suffix)) << metric.name;
    }
  }
}

TEST(MetricNames, LabelsAreFewAndNeverNameAnIdentity) {
  const std::set<std::string> bounded = {
      "version",
      "trainer",
      "state",
      "level",
      "partition",
      "reason",
      "outcome",
      "stage",
      "side",
      "phase",
      "tier",
      "area",
      "handler",
      "code",
      "verdict",
      "percentile",
      "device"};
  for (const Definition& metric : definitions()) {
    std::istringstream labels{std::string(metric.labels)};
    int count = 0;
    for (std::string label; std::getline(labels, label, ','); ++count) {
      EXPECT_TRUE(bounded.contains(label)) << metric.name << " " << label;
    }
    EXPECT_LE(count, 2) << metric.name;
  }
}

TEST(MetricNames, HelpIsASentence) {
  for (const Definition& metric : definitions()) {
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
    EXPECT_EQ(metric.help.find('|'), std::string_view::npos) << metric.name;
  }
}

TEST(MetricNames, BucketsRise) {
  EXPECT_TRUE(std::is_sorted(kSecondsBuckets.begin(), kSecondsBuckets.end()));
}

// SWAVD_UPDATE_DOCS=1 writes the page anew.
TEST(MetricNames, ReferencePageOnDiskIsInStepWithTheTable) {
  if (std::getenv("SWAVD_UPDATE_DOCS") != nullptr) {
    std::ofstream(kPage, std::ios::binary) << reference_page();
  }
  EXPECT_EQ(content(kPage), reference_page())
      << "run this test with SWAVD_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace swavd::metrics
