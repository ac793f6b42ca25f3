#include "trainer/swav/sinkhorn.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include "trainer/cuda/sinkhorn_functors.h"
#include "trainer/nn/norm_kernels.h"
#include "trainer/swav/sinkhorn_kernels.h"

// Samples may come to be spread over processes. What then crosses rows is the
// greatest score, the total, the number of samples and the prototypes' masses;
// all else is of one row.

namespace swavd::trainer {

namespace {

/// Mass that every entry gets when a prototype has none left at all: it would
/// have to be divided by zero.
constexpr double kRescueMass = 1e-12;

/// exp(scores / epsilon), scaled so that all entries sum to one.
at::Tensor first_plan(const at::Tensor& scores, double epsilon) {
  at::Tensor plan = scores / epsilon;
  // After the shift the greatest entry is exp(0), so nothing overflows.
  plan.sub_(plan.max()).exp_();
  return plan.div_(plan.sum());
}

/// Gives every prototype (column) the same mass.
void balance_prototypes(at::Tensor& plan) {
  const auto samples = static_cast<double>(plan.size(0));
  const auto prototypes = static_cast<double>(plan.size(1));
  at::Tensor mass = plan.sum(0);
  // Without a branch, so that no device has to answer a question midway.
  const at::Tensor rescue =
      mass.eq(0).any().to(plan.scalar_type()).mul_(kRescueMass);
  mass = (mass + rescue * samples).mul_(prototypes);
  plan.add_(rescue).div_(mass);
}

/// Gives every sample (row) the same mass, `total` altogether.
void balance_samples(at::Tensor& plan, double total) {
  const auto samples = static_cast<double>(plan.size(0));
  // A row far below the greatest score may have underflowed to zero.
  constexpr double kLeastMass = std::numeric_limits<float>::min();
  plan.div_(plan.sum(1, /*keepdim=*/true)
                .clamp_min_(kLeastMass)
                .mul_(samples / total));
}

/// The formula as it is written, on any device and in any type.
void balance(at::Tensor& plan, std::int32_t iterations) {
  for (std::int32_t i = 0; i < iterations; ++i) {
    balance_prototypes(plan);
    balance_samples(plan, 1.0);
  }
  balance_samples(plan, static_cast<double>(plan.size(0)));
}

/// Rows cut into pieces by the plan's shape alone, so that sums over them do
/// not depend on the number of threads.
struct RowPieces {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t piece_rows = 0;
  std::int64_t pieces = 0;

  explicit RowPieces(const at::Tensor& plan)
      : rows(plan.size(0)),
        columns(plan.size(1)) {
    constexpr std::int64_t kLeastEntries = 65536;  // worth waking a thread
    constexpr std::int64_t kMostPieces = 32;       // each has its own sums
    piece_rows = std::max(
        (kLeastEntries + columns - 1) / columns,
        (rows + kMostPieces - 1) / kMostPieces);
    pieces = (rows + piece_rows - 1) / piece_rows;
  }

  /// Calls body(first row, rows, sums [columns]) for all pieces, in parallel.
  template <typename Body>
  void for_each(std::vector<float>& sums, const Body& body) const {
    at::parallel_for(0, pieces, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t first = i * piece_rows;
        body(
            first,
            std::min(piece_rows, rows - first),
            sums.data() + i * columns);
      }
    });
  }
};

/// The same with one pass over a row for each iteration: it is scaled by both
/// its prototypes' factors and its own mass while it is in the cache, and adds
/// to the next factors on the way.
void balance_fused(at::Tensor& plan, std::int32_t iterations) {
  const RowPieces cut(plan);
  const auto samples = static_cast<float>(cut.rows);
  const float share = 1.0F / static_cast<float>(cut.columns);
  std::vector<float> sums(static_cast<std::size_t>(cut.pieces * cut.columns));
  std::vector<float> mass(static_cast<std::size_t>(cut.columns));
  std::vector<float> factors(mass.size());
  auto* entries = plan.mutable_data_ptr<float>();
  cut.for_each(sums, [&](std::int64_t first, std::int64_t rows, float* out) {
    row_sum(entries + first * cut.columns, rows, cut.columns, out);
  });
  for (std::int32_t i = 0; i < iterations; ++i) {
    row_sum(sums.data(), cut.pieces, cut.columns, mass.data());
    const float added = prototype_factors(
        mass.data(),
        cut.columns,
        share,
        static_cast<float>(kRescueMass),
        samples,
        factors.data());
    const float row_mass = i + 1 < iterations ? 1.0F / samples : 1.0F;
    cut.for_each(sums, [&](std::int64_t first, std::int64_t rows, float* out) {
      balance_rows(
          entries + first * cut.columns,
          rows,
          cut.columns,
          factors.data(),
          added,
          row_mass,
          out);
    });
  }
}

/// The same on a device.
at::Tensor device_plan(
    const at::Tensor& scores,
    const SinkhornOptions& options) {
  at::Tensor plan = at::empty_like(scores);
  const std::int64_t rows = scores.size(0);
  const std::int64_t prototypes = scores.size(1);
  const at::Tensor workspace =
      at::empty({sinkhorn_workspace(rows, prototypes)}, scores.options());
  options.link->sinkhorn(
      {scores.const_data_ptr<float>(),
       plan.mutable_data_ptr<float>(),
       workspace.mutable_data_ptr<float>(),
       rows,
       prototypes,
       static_cast<float>(options.epsilon),
       options.iterations});
  return plan;
}

}  // namespace

at::Tensor sinkhorn(const at::Tensor& scores, const SinkhornOptions& options) {
  const at::NoGradGuard no_grad;
  if (options.link != nullptr && scores.scalar_type() == at::kFloat) {
    return device_plan(scores.contiguous(), options);
  }
  at::Tensor plan = first_plan(scores.contiguous(), options.epsilon);
  if (plan.is_cpu() && plan.scalar_type() == at::kFloat) {
    balance_fused(plan, options.iterations);
  } else {
    balance(plan, options.iterations);
  }
  return plan;
}

}  // namespace swavd::trainer
