#include "trainer/evaluation.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "ops/base/philox.h"

namespace swavd::trainer {
namespace {

Features features_of(std::int64_t dim, std::vector<float> values) {
  Features features;
  features.dim = dim;
  features.rows = static_cast<std::int64_t>(values.size()) / dim;
  features.values = std::move(values);
  return features;
}

Features
random_features(std::int64_t rows, std::int64_t dim, const char* name) {
  Random random(stream_key(0, name));
  std::vector<float> values(static_cast<std::size_t>(rows * dim));
  for (float& value : values) {
    value = static_cast<float>(random.normal());
  }
  return features_of(dim, std::move(values));
}

double
cosine(const Features& a, std::int64_t i, const Features& b, std::int64_t j) {
  double dot = 0;
  double a_length = 0;
  double b_length = 0;
  for (std::int64_t d = 0; d < a.dim; ++d) {
    const double x = a.values[static_cast<std::size_t>(i * a.dim + d)];
    const double y = b.values[static_cast<std::size_t>(j * b.dim + d)];
    dot += x * y;
    a_length += x * x;
    b_length += y * y;
  }
  return dot / std::sqrt(a_length * b_length);
}

/// Weighted kNN by the book, one query at a time.
std::int32_t predict(
    const Features& bank,
    const std::vector<std::int32_t>& labels,
    const Features& queries,
    std::int64_t query,
    const KnnOptions& options) {
  std::vector<std::pair<double, std::int32_t>> neighbours;
  for (std::int64_t row = 0; row < bank.rows; ++row) {
    neighbours.emplace_back(
        -cosine(queries, query, bank, row),
        labels[static_cast<std::size_t>(row)]);
  }
  std::sort(neighbours.begin(), neighbours.end());
  std::vector<double> votes(16);
  for (std::int32_t i = 0; i < options.k; ++i) {
    const auto& [distance, label] = neighbours[static_cast<std::size_t>(i)];
    votes[static_cast<std::size_t>(label)] +=
        std::exp(-distance / options.temperature);
  }
  return static_cast<std::int32_t>(
      std::max_element(votes.begin(), votes.end()) - votes.begin());
}

TEST(Knn, CountsTheSameAnswersRightAsAPlainLoop) {
  // More queries than one chunk holds.
  const Features bank = random_features(200, 6, "bank");
  const Features queries = random_features(700, 6, "queries");
  Random random(stream_key(0, "labels"));
  std::vector<std::int32_t> bank_labels(200);
  std::vector<std::int32_t> query_labels(700);
  for (std::int32_t& label : bank_labels) {
    label = static_cast<std::int32_t>(random.below(5));
  }
  for (std::int32_t& label : query_labels) {
    label = static_cast<std::int32_t>(random.below(5));
  }
  const KnnOptions options{7, 0.2};
  int right = 0;
  for (std::int64_t query = 0; query < queries.rows; ++query) {
    right += predict(bank, bank_labels, queries, query, options) ==
                     query_labels[static_cast<std::size_t>(query)]
                 ? 1
                 : 0;
  }
  const Result<Accuracy> accuracy =
      knn(bank, bank_labels, queries, query_labels, options);
  ASSERT_TRUE(accuracy.ok());
  const double share = right / 700.0;
  EXPECT_NEAR(accuracy.value().top1, 100 * share, 1e-9);
  EXPECT_NEAR(
      accuracy.value().standard_error,
      100 * std::sqrt(share * (1 - share) / 700),
      1e-9);
  EXPECT_EQ(accuracy.value().queries, 700);
}

TEST(Knn, AQueryOfAClassTheBankLacksIsWrong) {
  const Features bank = features_of(2, {1, 0, 0, 1});
  const Result<Accuracy> accuracy =
      knn(bank, {0, 1}, features_of(2, {3, 0, 0, 2}), {0, 9}, {1, 0.07});
  ASSERT_TRUE(accuracy.ok());
  EXPECT_DOUBLE_EQ(accuracy.value().top1, 50);
}

TEST(Knn, RefusesABankSmallerThanK) {
  const Features two = features_of(2, {1, 0, 0, 1});
  const Result<Accuracy> accuracy = knn(two, {0, 1}, two, {0, 1}, {3, 0.07});
  ASSERT_FALSE(accuracy.ok());
  EXPECT_EQ(accuracy.error().code, ErrorCode::kInvalidArgument);
}

TEST(Knn, RefusesLabelsThatDoNotMatchTheRows) {
  const Features two = features_of(2, {1, 0, 0, 1});
  EXPECT_FALSE(knn(two, {0}, two, {0, 1}, {1, 0.07}).ok());
  EXPECT_FALSE(knn(two, {0, 1}, two, {0}, {1, 0.07}).ok());
  EXPECT_FALSE(knn(two, {0, -1}, two, {0, 1}, {1, 0.07}).ok());
  EXPECT_FALSE(
      knn(two, {0, 1}, features_of(1, {1, 2}), {0, 1}, {1, 0.07}).ok());
}

TEST(ViewRetrieval, FindsTheOtherViewAmongAllViews) {
  // The third image's first view is nearer to the second image's.
  const Features first = features_of(2, {1, 0, 0, 1, 1, 1});
  const Features second = features_of(2, {1, 0.1F, 0.2F, 1, -1, 0.5F});
  const auto found = view_retrieval(first, second);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value(), (std::vector<std::uint8_t>{1, 1, 0}));
}

TEST(ViewRetrieval, FirstViewsOfOtherImagesCompete) {
  // The first image's second view is further than the second's first view.
  const Features first = features_of(2, {1, 0, 1, 0.1F});
  const Features second = features_of(2, {1, 0.5F, -1, 0});
  const auto found = view_retrieval(first, second);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value(), (std::vector<std::uint8_t>{0, 0}));
}

TEST(ViewRetrieval, EveryChunkIsMatchedWithItsOwnRows) {
  Features first = random_features(1100, 16, "views");
  Features second = first;
  for (float& value : second.values) {
    value *= 2;  // the same direction
  }
  const auto found = view_retrieval(first, second);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value(), std::vector<std::uint8_t>(1100, 1));
}

TEST(ViewRetrieval, NeedsTwoImagesAndMatchingViews) {
  const Features one = features_of(2, {1, 0});
  EXPECT_FALSE(view_retrieval(one, one).ok());
  EXPECT_FALSE(view_retrieval(features_of(2, {1, 0, 0, 1}), one).ok());
}

}  // namespace
}  // namespace swavd::trainer
