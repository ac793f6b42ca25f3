#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "trainer/trainer.h"

namespace swavd::trainer {

struct KnnOptions {
  std::int32_t k = 20;
  double temperature = 0.07;  ///< votes weigh exp(similarity / temperature)
};

/// A share of right answers among n, with its binomial standard error.
struct Accuracy {
  double top1 = 0;            ///< percent
  double standard_error = 0;  ///< percent
  std::int64_t queries = 0;
  std::vector<std::int32_t> predicted;  ///< [queries], class numbers
};

/// The share of `predicted` that equals `truth`; both [n]. Errors:
/// kInvalidArgument (sizes differ, nothing there).
[[nodiscard]] Result<Accuracy> accuracy(
    std::vector<std::int32_t> predicted,
    const std::vector<std::int32_t>& truth);

/// Weighted k-nearest-neighbour classification with cosine similarity (Wu et
/// al. 2018). Rows need not be normalised. `*_labels` are class numbers.
/// Errors: kInvalidArgument (sizes differ, fewer than k in the bank).
[[nodiscard]] Result<Accuracy> knn(
    const Features& bank,
    const std::vector<std::int32_t>& bank_labels,
    const Features& queries,
    const std::vector<std::int32_t>& query_labels,
    const KnnOptions& options);

/// For each image: is the nearest neighbour of its first view, among all
/// other views, its own second view? Rows of both are images in the same
/// order. One entry (0 or 1) an image.
/// Errors: kInvalidArgument (sizes differ, fewer than two images).
[[nodiscard]] Result<std::vector<std::uint8_t>> view_retrieval(
    const Features& first,
    const Features& second);

/// Exact p value for the hypothesis that paired results `after` are better
/// than `before`: the sign test over the pairs that differ, one-sided. For
/// results of 0 and 1 that is McNemar's exact test.
[[nodiscard]] double paired_p(
    const std::vector<std::uint8_t>& before,
    const std::vector<std::uint8_t>& after);

}  // namespace swavd::trainer
