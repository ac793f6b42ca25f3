#include "trainer/cuda/sinkhorn_functors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ops/base/philox.h"
#include "tests/trainer/cuda/host_team.h"

namespace swavd::trainer {
namespace {

struct Case {
  std::int64_t rows;
  std::int64_t prototypes;
  float epsilon;
  std::int32_t iterations;
};

std::vector<float> random_scores(const Case& of) {
  std::vector<float> scores(static_cast<std::size_t>(of.rows * of.prototypes));
  Random random(7, static_cast<std::uint64_t>(of.rows));
  for (float& score : scores) {
    score = static_cast<float>(random.uniform(-1, 1));
  }
  return scores;
}

template <typename Launch>
std::vector<float>
codes(const std::vector<float>& scores, const Case& of, const Launch& launch) {
  std::vector<float> plan(scores.size());
  std::vector<float> workspace(
      static_cast<std::size_t>(sinkhorn_workspace(of.rows, of.prototypes)),
      std::numeric_limits<float>::quiet_NaN());
  run_sinkhorn(
      {scores.data(),
       plan.data(),
       workspace.data(),
       of.rows,
       of.prototypes,
       of.epsilon,
       of.iterations},
      launch);
  return plan;
}

/// The formula as it is written, in double.
std::vector<double> reference(
    const std::vector<float>& scores,
    const Case& of) {
  const auto rows = static_cast<std::size_t>(of.rows);
  const auto columns = static_cast<std::size_t>(of.prototypes);
  const double greatest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> plan(scores.size());
  double total = 0;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    plan[i] =
        std::exp((scores[i] - greatest) / static_cast<double>(of.epsilon));
    total += plan[i];
  }
  for (double& entry : plan) {
    entry /= total;
  }
  for (std::int32_t turn = 0; turn < of.iterations; ++turn) {
    for (std::size_t k = 0; k < columns; ++k) {
      double mass = 0;
      for (std::size_t r = 0; r < rows; ++r) {
        mass += plan[r * columns + k];
      }
      for (std::size_t r = 0; r < rows; ++r) {
        plan[r * columns + k] /= mass * static_cast<double>(columns);
      }
    }
    for (std::size_t r = 0; r < rows; ++r) {
      double mass = 0;
      for (std::size_t k = 0; k < columns; ++k) {
        mass += plan[r * columns + k];
      }
      for (std::size_t k = 0; k < columns; ++k) {
        plan[r * columns + k] /= mass * static_cast<double>(rows);
      }
    }
  }
  for (double& entry : plan) {
    entry *= static_cast<double>(rows);
  }
  return plan;
}

template <typename Launch>
void expect_reference_codes(const Launch& launch) {
  // More rows than pieces, fewer, one; prototypes that no team divides.
  for (const Case& of :
       {Case{6, 5, 0.05F, 3},
        Case{1, 7, 0.05F, 3},
        Case{300, 30, 0.05F, 3},
        Case{515, 17, 0.03F, 10},
        Case{64, 300, 0.05F, 1}}) {
    const std::vector<float> scores = random_scores(of);
    const std::vector<float> found = codes(scores, of, launch);
    const std::vector<double> expected = reference(scores, of);
    double worst = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      worst = std::max(
          worst, std::abs(static_cast<double>(found[i]) - expected[i]));
    }
    EXPECT_LE(worst, 1e-5) << of.rows << " x " << of.prototypes;
  }
}

TEST(SinkhornFunctors, ATeamOfOneGivesTheCodesOfTheFormula) {
  expect_reference_codes(SerialLaunch{});
}

TEST(SinkhornFunctors, ATeamOfThreadsGivesThemToo) {
  expect_reference_codes(ThreadLaunch{});
}

TEST(SinkhornFunctors, ANumberThatIsNoneMakesCodesThatAreNone) {
  const Case of{9, 4, 0.05F, 3};
  std::vector<float> scores = random_scores(of);
  scores[13] = std::numeric_limits<float>::quiet_NaN();
  for (const float code : codes(scores, of, ThreadLaunch{})) {
    EXPECT_TRUE(std::isnan(code));
  }
}

TEST(SinkhornFunctors, APrototypeFarBelowAllOthersIsRescued) {
  const Case of{6, 3, 0.05F, 3};
  std::vector<float> scores = random_scores(of);
  for (std::size_t r = 0; r < 6; ++r) {
    scores[3 * r + 1] = -90.0F;  // exp(-1800) is zero in every type
  }
  const std::vector<float> found = codes(scores, of, SerialLaunch{});
  for (std::size_t r = 0; r < 6; ++r) {
    const float row = found[3 * r] + found[3 * r + 1] + found[3 * r + 2];
    EXPECT_NEAR(row, 1.0F, 1e-5F);
    EXPECT_GT(found[3 * r + 1], 0.0F);
  }
}

TEST(SinkhornFunctors, ARowFarBelowTheGreatestScoreHasNoCode) {
  const Case of{3, 2, 0.05F, 3};
  const std::vector<float> scores = {1.0F, 0.9F, -90.0F, -91.0F, 0.8F, 1.0F};
  const std::vector<float> found = codes(scores, of, SerialLaunch{});
  EXPECT_EQ(found[2], 0.0F);
  EXPECT_EQ(found[3], 0.0F);
  EXPECT_NEAR(found[0] + found[1], 1.0F, 1e-5F);
}

}  // namespace
}  // namespace swavd::trainer
