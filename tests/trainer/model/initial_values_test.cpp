#include "trainer/model/initial_values.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

std::vector<float>
values_of(const TensorSpec& spec, std::uint64_t seed, std::int64_t begin = 0) {
  std::vector<float> values(
      static_cast<std::size_t>(element_count(spec) - begin));
  initial_values(spec, seed, begin, values);
  return values;
}

const TensorSpec kConv{
    "conv.weight",
    {64, 16, 3, 3},
    Role::kParameter,
    Init::kNormalFanOut,
    576};
const TensorSpec kLinear{
    "fc.weight",
    {100, 50},
    Role::kParameter,
    Init::kUniformFanIn,
    50};

double mean_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) {
    sum += value;
  }
  return sum / static_cast<double>(values.size());
}

double deviation_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * value;
  }
  return std::sqrt(sum / static_cast<double>(values.size()));
}

TEST(InitialValues, DoNotDependOnHowATensorIsCutUp) {
  for (const TensorSpec& spec : {kConv, kLinear}) {
    const std::vector<float> whole = values_of(spec, 5);
    const std::vector<float> rest = values_of(spec, 5, 1234);
    EXPECT_EQ(std::vector<float>(whole.begin() + 1234, whole.end()), rest);
  }
}

TEST(InitialValues, DifferBySeedAndByName) {
  TensorSpec renamed = kConv;
  renamed.name = "other.weight";
  EXPECT_NE(values_of(kConv, 1), values_of(kConv, 2));
  EXPECT_NE(values_of(kConv, 1), values_of(renamed, 1));
  EXPECT_EQ(values_of(kConv, 1), values_of(kConv, 1));
}

TEST(InitialValues, ConvolutionsAreNormalByFanOut) {
  const std::vector<float> values = values_of(kConv, 0);
  const double expected = std::sqrt(2.0 / 576.0);
  // Standard errors: sigma / sqrt(n) and sigma / sqrt(2 n), n = 9216.
  EXPECT_NEAR(mean_of(values), 0.0, 4 * expected / std::sqrt(9216.0));
  EXPECT_NEAR(
      deviation_of(values), expected, 4 * expected / std::sqrt(2 * 9216.0));
}

TEST(InitialValues, LinearLayersAreUniformByFanIn) {
  const std::vector<float> values = values_of(kLinear, 0);
  const double bound = 1.0 / std::sqrt(50.0);
  for (const float value : values) {
    EXPECT_LE(std::abs(value), bound);
  }
  EXPECT_NEAR(mean_of(values), 0.0, 4 * bound / std::sqrt(3 * 5000.0));
  EXPECT_NEAR(deviation_of(values), bound / std::sqrt(3.0), 0.02 * bound);
}

TEST(InitialValues, OnesAndZerosAreWhatTheySay) {
  const TensorSpec ones{"w", {3}, Role::kParameter, Init::kOnes, 1};
  const TensorSpec zeros{"b", {3}, Role::kParameter, Init::kZeros, 1};
  EXPECT_EQ(values_of(ones, 0), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(values_of(zeros, 0), (std::vector<float>{0, 0, 0}));
}

}  // namespace
}  // namespace swavd::trainer
