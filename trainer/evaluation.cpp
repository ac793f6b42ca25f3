#include "trainer/evaluation.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "trainer/nn/swav_head.h"

namespace swavd::trainer {

namespace {

/// Queries compared at a time: bounds the similarity matrix.
constexpr std::int64_t kChunkRows = 512;

Error bad_features(std::string why) {
  return {ErrorCode::kInvalidArgument, "evaluation: " + std::move(why)};
}

/// The features as rows of length one; borrows nothing.
at::Tensor unit_rows(const Features& features) {
  // from_blob wants mutable memory; it is only read.
  auto* values = const_cast<float*>(features.values.data());
  return normalise_rows(at::from_blob(values, {features.rows, features.dim}));
}

bool well_formed(const Features& features) {
  return features.rows >= 0 && features.dim > 0 &&
         features.values.size() ==
             static_cast<std::size_t>(features.rows * features.dim);
}

Status check_knn(
    const Features& bank,
    const std::vector<std::int32_t>& bank_labels,
    const Features& queries,
    const std::vector<std::int32_t>& query_labels,
    const KnnOptions& options) {
  if (!well_formed(bank) || !well_formed(queries) || bank.dim != queries.dim) {
    return bad_features("features of bank and queries do not match");
  }
  if (bank_labels.size() != static_cast<std::size_t>(bank.rows) ||
      query_labels.size() != static_cast<std::size_t>(queries.rows)) {
    return bad_features("not one label a row");
  }
  if (options.k < 1 || bank.rows < options.k || queries.rows < 1) {
    return bad_features(fmt::format(
        "{} rows in the bank and {} queries for k = {}",
        bank.rows,
        queries.rows,
        options.k));
  }
  if (*std::min_element(bank_labels.begin(), bank_labels.end()) < 0) {
    return bad_features("a label of the bank is negative");
  }
  return ok_status();
}

}  // namespace

Result<Accuracy> knn(
    const Features& bank,
    const std::vector<std::int32_t>& bank_labels,
    const Features& queries,
    const std::vector<std::int32_t>& query_labels,
    const KnnOptions& options) {
  SWAVD_RETURN_IF_ERROR(
      check_knn(bank, bank_labels, queries, query_labels, options));
  const at::NoGradGuard no_grad;
  const at::Tensor bank_rows = unit_rows(bank).t();
  const at::Tensor labels = at::tensor(bank_labels, at::dtype(at::kLong));
  const std::int64_t classes = labels.max().item<std::int64_t>() + 1;
  const at::Tensor query_rows = unit_rows(queries);
  std::vector<std::int32_t> predicted;
  predicted.reserve(query_labels.size());
  for (std::int64_t row = 0; row < queries.rows; row += kChunkRows) {
    const std::int64_t rows = std::min(kChunkRows, queries.rows - row);
    const auto [similarity, neighbours] =
        at::mm(query_rows.narrow(0, row, rows), bank_rows).topk(options.k, 1);
    const at::Tensor votes = at::zeros({rows, classes});
    votes.scatter_add_(
        1,
        labels.index_select(0, neighbours.flatten()).view_as(neighbours),
        (similarity / options.temperature).exp());
    const at::Tensor best = votes.argmax(1).to(at::kInt).contiguous();
    const auto* answers = best.const_data_ptr<std::int32_t>();
    predicted.insert(predicted.end(), answers, answers + rows);
  }
  return accuracy(std::move(predicted), query_labels);
}

Result<std::vector<std::uint8_t>> view_retrieval(
    const Features& first,
    const Features& second) {
  if (!well_formed(first) || !well_formed(second) ||
      first.rows != second.rows || first.dim != second.dim) {
    return bad_features("the two views' features do not match");
  }
  if (first.rows < 2) {
    return bad_features(
        fmt::format("{} images, retrieval needs two", first.rows));
  }
  const at::NoGradGuard no_grad;
  const std::int64_t images = first.rows;
  const at::Tensor queries = unit_rows(first);
  // All views but the query itself compete: 2 * images - 1 of them.
  const at::Tensor views = at::cat({queries, unit_rows(second)}).t();
  std::vector<std::uint8_t> found;
  found.reserve(static_cast<std::size_t>(images));
  for (std::int64_t row = 0; row < images; row += kChunkRows) {
    const std::int64_t rows = std::min(kChunkRows, images - row);
    at::Tensor similarity = at::mm(queries.narrow(0, row, rows), views);
    similarity.narrow(1, row, rows).fill_diagonal_(-2.0);
    const at::Tensor nearest = similarity.argmax(1).contiguous();
    const auto* index = nearest.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < rows; ++i) {
      found.push_back(index[i] == images + row + i ? 1 : 0);
    }
  }
  return found;
}

}  // namespace swavd::trainer
