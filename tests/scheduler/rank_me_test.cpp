#include "scheduler/rank_me.h"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::scheduler {
namespace {

TEST(RankMe, OfOrthogonalRowsOfOneLengthIsTheirNumber) {
  const std::vector<float> identity = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  EXPECT_NEAR(rank_me(identity, 3), 3.0, 1e-5);
}

TEST(RankMe, OfEqualRowsIsOne) {
  std::vector<float> rows;
  for (int i = 0; i < 10; ++i) {
    rows.insert(rows.end(), {0.6F, 0.8F, 0.0F});
  }
  EXPECT_NEAR(rank_me(rows, 3), 1.0, 1e-4);
}

TEST(RankMe, IsTheEntropyOfTheSingularValues) {
  // Singular values 3, 2 and 1.
  const std::vector<float> rows = {3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0};
  const double entropy =
      -(3 * std::log(3.0 / 6) + 2 * std::log(2.0 / 6) + 1 * std::log(1.0 / 6)) /
      6;
  EXPECT_NEAR(rank_me(rows, 3), std::exp(entropy), 1e-5);
}

/// [n, n] of a turn in the plane of two neighbours, for each pair in turn.
std::vector<double> rotation(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 numbers(seed);
  std::vector<double> q(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    q[i * n + i] = 1;
  }
  for (std::size_t round = 0; round < 5 * n; ++round) {
    const std::size_t i = numbers() % n;
    const std::size_t j = (i + 1 + numbers() % (n - 1)) % n;
    const double angle = static_cast<double>(numbers() % 1000) / 100;
    for (std::size_t k = 0; k < n; ++k) {
      const double a = q[i * n + k];
      const double b = q[j * n + k];
      q[i * n + k] = std::cos(angle) * a - std::sin(angle) * b;
      q[j * n + k] = std::sin(angle) * a + std::cos(angle) * b;
    }
  }
  return q;
}

/// U diag(values) V, [rows, dim], with U and V orthogonal.
std::vector<float> with_singular_values(
    const std::vector<double>& values,
    std::size_t rows,
    std::size_t dim) {
  const auto u = rotation(rows, 1);
  const auto v = rotation(dim, 2);
  std::vector<float> product(rows * dim, 0.0F);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < dim; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < values.size(); ++k) {
        sum += u[i * rows + k] * values[k] * v[k * dim + j];
      }
      product[i * dim + j] = static_cast<float>(sum);
    }
  }
  return product;
}

class RankMeOfShape
    : public ::testing::TestWithParam<std::pair<std::size_t, std::size_t>> {};

TEST_P(RankMeOfShape, DoesNotDependOnTheBasis) {
  const auto [rows, dim] = GetParam();
  const std::vector<double> values = {5, 4, 3, 2.5, 2, 1.5, 1, 0.5, 0.25};
  double sum = 0;
  for (const double value : values) {
    sum += value;
  }
  double entropy = 0;
  for (const double value : values) {
    entropy -= value / sum * std::log(value / sum);
  }
  // The directions without anything count 1e-7 each.
  EXPECT_NEAR(
      rank_me(
          with_singular_values(values, rows, dim),
          static_cast<std::int64_t>(dim)),
      std::exp(entropy),
      2e-3);
}

INSTANTIATE_TEST_SUITE_P(
    TallAndWide,
    RankMeOfShape,
    ::testing::Values(
        std::pair<std::size_t, std::size_t>(60, 24),
        std::pair<std::size_t, std::size_t>(24, 60),
        std::pair<std::size_t, std::size_t>(24, 24)));

TEST(RankMe, OfNothingIsZero) {
  EXPECT_EQ(rank_me({}, 8), 0.0);
  EXPECT_EQ(rank_me(std::vector<float>(64, 0.0F), 8), 0.0);
}

TEST(EmbeddingReservoir, HoldsTheNewestFourADimension) {
  EmbeddingReservoir reservoir(2);
  const std::vector<float> first = {1, 0};
  const std::vector<float> second = {0, 1};
  for (int i = 0; i < 7; ++i) {
    reservoir.add(first);
    EXPECT_FALSE(reservoir.renewed());
  }
  reservoir.add(first);
  EXPECT_TRUE(reservoir.renewed());
  EXPECT_FALSE(reservoir.renewed());
  EXPECT_NEAR(reservoir.rank(), 1.0, 1e-4);
  for (int i = 0; i < 4; ++i) {
    reservoir.add(second);
  }
  EXPECT_NEAR(reservoir.rank(), 2.0, 1e-4);
  for (int i = 0; i < 4; ++i) {
    reservoir.add(second);
  }
  EXPECT_TRUE(reservoir.renewed());
  EXPECT_NEAR(reservoir.rank(), 1.0, 1e-4);
}

}  // namespace
}  // namespace swavd::scheduler
