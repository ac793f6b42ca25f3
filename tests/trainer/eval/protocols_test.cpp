#include "trainer/protocols.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/evaluation.h"
#include "trainer/probe.h"

namespace swavd::trainer {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Protocol
protocol(ProtocolKind kind, std::string_view name, double fraction = 0) {
  auto found = find_protocol(kind, name, fraction);
  EXPECT_TRUE(found.ok()) << name;
  return std::move(found).value();
}

TEST(Protocols, DropTheRateAtTheirMilestones) {
  const Protocol vissl = protocol(ProtocolKind::kLinear, "vissl-in1k");
  EXPECT_EQ(vissl.epochs, 28);
  const std::vector<std::pair<std::int32_t, double>> rates = {
      {0, 0.01},
      {7, 0.01},
      {8, 0.001},
      {15, 0.001},
      {16, 0.0001},
      {27, 0.00001}};
  for (const auto& [epoch, rate] : rates) {
    EXPECT_NEAR(rates_at(vissl, epoch, 0.9).head, rate, 1e-12) << epoch;
  }
}

TEST(Protocols, ScaleTheRateWithTheBatch) {
  Protocol vissl = protocol(ProtocolKind::kLinear, "vissl-in1k");
  vissl.batch = 64;
  EXPECT_DOUBLE_EQ(rates_at(vissl, 0, 0).head, 0.0025);
}

TEST(Protocols, SwavsCosineFallsByEpochToNothing) {
  const Protocol swav = protocol(ProtocolKind::kLinear, "swav");
  EXPECT_DOUBLE_EQ(rates_at(swav, 0, 0).head, 0.3);
  EXPECT_DOUBLE_EQ(rates_at(swav, 0, 0.99).head, 0.3);
  EXPECT_NEAR(rates_at(swav, 50, 0).head, 0.15, 1e-12);
  EXPECT_NEAR(
      rates_at(swav, 99, 0).head,
      0.15 * (1 + std::cos(std::acos(-1.0) * 0.99)),
      1e-12);
}

TEST(Protocols, VisslsCosineFallsByStepToItsEnd) {
  const Protocol cosine = protocol(ProtocolKind::kFineTune, "vissl-cosine");
  EXPECT_DOUBLE_EQ(rates_at(cosine, 0, 0).trunk, 0.25);
  EXPECT_LT(rates_at(cosine, 0, 0.5).trunk, 0.25);
  EXPECT_NEAR(rates_at(cosine, 100, 0).trunk, 5e-7, 1e-15);
}

TEST(Protocols, SwavsLowShotHasOtherRatesForTheHeadAndForEachFraction) {
  const Protocol one = protocol(ProtocolKind::kLowShot, "swav", 0.01);
  EXPECT_DOUBLE_EQ(rates_at(one, 0, 0).trunk, 0.02);
  EXPECT_DOUBLE_EQ(rates_at(one, 0, 0).head, 5);
  EXPECT_NEAR(rates_at(one, 12, 0).head, 1, 1e-12);
  EXPECT_NEAR(rates_at(one, 16, 0).head, 0.2, 1e-12);
  const Protocol ten = protocol(ProtocolKind::kLowShot, "swav", 0.1);
  EXPECT_DOUBLE_EQ(rates_at(ten, 0, 0).trunk, 0.01);
  EXPECT_DOUBLE_EQ(rates_at(ten, 0, 0).head, 0.2);
}

TEST(Protocols, AFractionThatIsNotPublishedIsRefusedWithThoseThatAre) {
  const auto found = find_protocol(ProtocolKind::kLowShot, "swav", 0.05);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(found.error().message, HasSubstr("0.01 or 0.1"));
}

TEST(Protocols, AnUnknownNameIsRefusedWithThoseThereAre) {
  const auto found = find_protocol(ProtocolKind::kLinear, "imagenet", 0);
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(
      found.error().message,
      AllOf(HasSubstr("vissl-in1k"), HasSubstr("swav"), HasSubstr("inat18")));
}

TEST(Protocols, OtherNumbersOfEpochsMoveTheMilestones) {
  const Protocol shorter =
      with_epochs(protocol(ProtocolKind::kLinear, "vissl-in1k"), 14);
  EXPECT_EQ(shorter.epochs, 14);
  EXPECT_THAT(shorter.milestones, testing::ElementsAre(4, 8, 12));
}

// Channels and cells of the published probes of SEER's models.
TEST(ProbeGrid, IsThatOfSeersProbes) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> published = {
      {2904, 3},    // 128GF, res4
      {1392, 7},    // 32GF, res4
      {1968, 5},    // 64GF, res4
      {4103, 2},    // 256GF, res4
      {11110, 2}};  // 10B, res4
  for (const auto& [channels, rows] : published) {
    EXPECT_EQ(probe_grid(channels, 14, 14), (ProbeGrid{rows, 1})) << channels;
  }
  const std::vector<std::pair<std::int64_t, std::int64_t>> last = {
      {7392, 2}, {3712, 3}, {4920, 2}, {28280, 2}};
  for (const auto& [channels, rows] : last) {
    EXPECT_EQ(probe_grid(channels, 7, 7), (ProbeGrid{rows, 1})) << channels;
  }
}

TEST(ProbeGrid, OfANarrowNetworkIsBoundedByItsMap) {
  EXPECT_EQ(probe_grid(152, 14, 14), (ProbeGrid{14, 4}));
  EXPECT_EQ(probe_grid(16, 4, 4), (ProbeGrid{4, 4}));
  EXPECT_EQ(probe_grid(368, 1, 1), (ProbeGrid{1, 1}));
}

TEST(AccuracyOf, IsTheShareWithItsBinomialError) {
  const auto result = accuracy({0, 1, 2, 0}, {0, 1, 1, 1});
  ASSERT_TRUE(result.ok());
  EXPECT_DOUBLE_EQ(result.value().top1, 50);
  EXPECT_DOUBLE_EQ(result.value().standard_error, 25);
  EXPECT_EQ(result.value().queries, 4);
  EXPECT_FALSE(accuracy({}, {}).ok());
  EXPECT_FALSE(accuracy({1}, {1, 2}).ok());
}

}  // namespace
}  // namespace swavd::trainer
