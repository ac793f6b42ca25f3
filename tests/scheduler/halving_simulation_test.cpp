// How the plateau rule does on curves whose truth is known: how often it halves
// too early, and how late when it should.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/scheduler/loss_curves.h"

namespace swavd::scheduler {
namespace {

constexpr int kSeeds = 100;
constexpr double kPatiences = 12;

/// A schedule, and the chance in the losses of its batches.
struct Setting {
  std::string name;
  ScheduleOptions options;
  double deviation = 0;  ///< of a batch, as a share
  std::int64_t steps_per_patience = 0;
};

/// Deviation of the loss of a batch of 64 images about its trend, as a share:
/// of the recorded run (RecordedRun.HasTheChanceThatIsSimulated).
constexpr double kDeviationOf64 = 0.012;

/// The defaults. Batches of 1,024 images, whose chance is a quarter: after the
/// smoothing, which is over images, that is the same as more of smaller ones.
Setting defaults() {
  return {"defaults", {}, kDeviationOf64 / 4, 1953};
}

Setting tiny() {
  Setting setting{"preset tiny", {}, kDeviationOf64, 3125};
  setting.options.patience_images = 200'000;
  setting.options.cooldown_images = 100'000;
  return setting;
}

std::vector<LossCurve> curves() {
  return {
      {.name = "falls by 1.5 % a patience",
       .loss = 6.09,
       .falls_to = 6,
       .drift = -0.015},
      {.name = "falls by 1.2 % a patience",
       .loss = 6.072,
       .falls_to = 6,
       .drift = -0.012},
      {.name = "falls for two patiences, then stays"},
      {.name = "falls anew after each halving", .per_halving = 0.06},
      {.name = "falls by 1.5 %; the stream changes: 3 % up",
       .loss = 6.09,
       .falls_to = 6,
       .drift = -0.015,
       .shift_at = 5,
       .shift = 0.03},
      {.name = "falls by 1.5 %; the stream changes: 10 % up",
       .loss = 6.09,
       .falls_to = 6,
       .drift = -0.015,
       .shift_at = 5,
       .shift = 0.1},
      {.name = "rises by 3 % a patience",
       .loss = 3.88,
       .falls_to = 4,
       .drift = 0.03}};
}

/// What 100 runs on a curve came to.
struct Outcome {
  int halvings = 0;
  int early = 0;               ///< the loss was still falling as it must
  std::vector<double> delays;  ///< of the others, in patiences

  double delay(double share) {
    if (delays.empty()) {
      return 0;
    }
    std::sort(delays.begin(), delays.end());
    return delays[static_cast<std::size_t>(
        share * static_cast<double>(delays.size() - 1))];
  }
};

Outcome outcome_of(const Setting& setting, const LossCurve& curve) {
  LossNoise noise;
  noise.deviation = setting.deviation;
  noise.outliers = 0.01;
  Outcome outcome;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const SimulatedRun run = simulate(
        setting.options,
        curve,
        noise,
        setting.steps_per_patience,
        kPatiences,
        static_cast<std::uint64_t>(seed));
    for (std::size_t i = 0; i < run.halvings.size(); ++i) {
      ++outcome.halvings;
      if (run.halvings[i].would_have_fallen >=
          setting.options.min_improvement) {
        ++outcome.early;
      } else {
        outcome.delays.push_back(
            run.halvings[i].at - std::max(run.plateaus_from[i], 0.0));
      }
    }
  }
  return outcome;
}

std::string table_of(const Setting& setting) {
  std::string table = fmt::format(
      "| {} | halvings a run | too early | delay: median, 90 % |\n"
      "|---|---|---|---|\n",
      setting.name);
  for (const LossCurve& curve : curves()) {
    Outcome outcome = outcome_of(setting, curve);
    table += fmt::format(
        "| {} | {:.2f} | {} of {} | {} |\n",
        curve.name,
        static_cast<double>(outcome.halvings) / kSeeds,
        outcome.early,
        outcome.halvings,
        outcome.delays.empty()
            ? std::string("–")
            : fmt::format(
                  "{:.2f}, {:.2f}", outcome.delay(0.5), outcome.delay(0.9)));
  }
  return table;
}

const std::filesystem::path kPage =
    std::filesystem::path(SWAVD_TEST_SOURCE_DIR) / "ops/docs/schedule.md";
constexpr std::string_view kBegin = "<!-- simulated -->\n";
constexpr std::string_view kEnd = "<!-- end -->\n";

std::string page() {
  std::ifstream file(kPage, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// SWAVD_UPDATE_DOCS=1 writes the table anew.
TEST(HalvingSimulation, TableOnThePageIsWhatTheRuleDoes) {
  const std::string table = table_of(defaults()) + "\n" + table_of(tiny());
  std::string text = page();
  const auto begin = text.find(kBegin);
  const auto end = text.find(kEnd);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const auto from = begin + kBegin.size();
  if (std::getenv("SWAVD_UPDATE_DOCS") != nullptr) {
    text.replace(from, end - from, table);
    std::ofstream(kPage, std::ios::binary) << text;
    return;
  }
  EXPECT_EQ(text.substr(from, end - from), table)
      << "run this test with SWAVD_UPDATE_DOCS=1";
}

/// The curve whose name begins so.
LossCurve curve(std::string_view name) {
  for (const LossCurve& each : curves()) {
    if (each.name.starts_with(name)) {
      return each;
    }
  }
  ADD_FAILURE() << name;
  return {};
}

TEST(HalvingSimulation, NeverHalvesWhileTheLossFallsAsItMust) {
  for (const Setting& setting : {defaults(), tiny()}) {
    EXPECT_EQ(outcome_of(setting, curve("falls by 1.5 % a")).halvings, 0)
        << setting.name;
  }
}

TEST(HalvingSimulation, HalvesOnceTheLossStays) {
  for (const Setting& setting : {defaults(), tiny()}) {
    Outcome outcome = outcome_of(setting, curve("falls for two"));
    EXPECT_GE(outcome.halvings, 3 * kSeeds) << setting.name;
    EXPECT_EQ(outcome.early, 0) << setting.name;
    EXPECT_LT(outcome.delay(0.9), 2.0) << setting.name;
  }
}

TEST(HalvingSimulation, AChangedStreamIsNoPlateau) {
  for (const Setting& setting : {defaults(), tiny()}) {
    for (const char* name :
         {"falls by 1.5 %; the stream changes: 3",
          "falls by 1.5 %; the stream changes: 10"}) {
      EXPECT_LE(outcome_of(setting, curve(name)).halvings, kSeeds / 20)
          << setting.name << ", " << name;
    }
  }
}

TEST(HalvingSimulation, ALossThatOnlyRisesIsHalvedAllTheSame) {
  for (const Setting& setting : {defaults(), tiny()}) {
    EXPECT_GE(outcome_of(setting, curve("rises")).halvings, 3 * kSeeds)
        << setting.name;
  }
}

}  // namespace
}  // namespace swavd::scheduler
