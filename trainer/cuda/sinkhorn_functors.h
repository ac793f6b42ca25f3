#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "trainer/cuda/host_device.h"
#include "trainer/cuda/kernel_jobs.h"

namespace swavd::trainer {

/// How a Sinkhorn job is cut into blocks: by its shape alone, so that sums do
/// not depend on the device.
struct SinkhornCut {
  std::int64_t piece_rows;  ///< rows of the plan that one block works off
  std::int64_t pieces;
  std::int64_t searchers;  ///< blocks that look for the greatest score

  explicit SinkhornCut(const SinkhornJob& job) {
    constexpr std::int64_t kMostPieces = 256;
    constexpr std::int64_t kMostSearchers = 128;
    constexpr std::int64_t kEntriesEach = 4096;
    piece_rows = (job.rows + kMostPieces - 1) / kMostPieces;
    pieces = (job.rows + piece_rows - 1) / piece_rows;
    searchers = (job.rows * job.prototypes + kEntriesEach - 1) / kEntriesEach;
    searchers = searchers < kMostSearchers ? searchers : kMostSearchers;
  }
};

/// Where a job's workspace keeps what.
struct SinkhornSpace {
  float* found;    ///< [searchers]
  float* mass;     ///< [prototypes]
  float* factors;  ///< [prototypes]
  float* control;  ///< [2]: what entries are multiplied by, then what is added
  float* sums;     ///< [pieces, prototypes]
};

inline SinkhornSpace sinkhorn_space(
    const SinkhornJob& job,
    const SinkhornCut& cut) {
  SinkhornSpace space{};
  space.found = job.workspace;
  space.mass = space.found + cut.searchers;
  space.factors = space.mass + job.prototypes;
  space.control = space.factors + job.prototypes;
  space.sums = space.control + 2;
  return space;
}

/// found[block] = the greatest score of the block's share.
struct FindGreatest {
  const float* scores;
  std::int64_t count;
  std::int64_t blocks;
  float* found;

  template <typename Team>
  SWAVD_HOST_DEVICE void operator()(Team& team) const {
    float best = -std::numeric_limits<float>::infinity();
    for (std::int64_t i = team.block() * team.size() + team.thread(); i < count;
         i += blocks * team.size()) {
      best = greater_of(best, scores[i]);
    }
    best = team.greatest(best);
    if (team.thread() == 0) {
      found[team.block()] = best;
    }
  }
};

/// plan = exp((scores - greatest) / epsilon); sums[block] = the block's rows of
/// it, by prototype.
struct FirstPlan {
  SinkhornJob job;
  SinkhornCut cut;
  SinkhornSpace space;

  template <typename Team>
  SWAVD_HOST_DEVICE void operator()(Team& team) const {
    float greatest = -std::numeric_limits<float>::infinity();
    for (std::int64_t i = team.thread(); i < cut.searchers; i += team.size()) {
      greatest = greater_of(greatest, space.found[i]);
    }
    greatest = team.greatest(greatest);
    const std::int64_t columns = job.prototypes;
    const std::int64_t first = team.block() * cut.piece_rows;
    const std::int64_t last =
        first + cut.piece_rows < job.rows ? first + cut.piece_rows : job.rows;
    float* sums = space.sums + team.block() * columns;
    for (std::int64_t k = team.thread(); k < columns; k += team.size()) {
      float sum = 0.0F;
      for (std::int64_t r = first; r < last; ++r) {
        const std::int64_t i = r * columns + k;
        // The greatest entry is exp(0), so nothing overflows.
        const float entry = expf((job.scores[i] - greatest) / job.epsilon);
        job.plan[i] = entry;
        sum += entry;
      }
      sums[k] = sum;
    }
  }
};

/// From the sums of all pieces: what makes every prototype's mass the same. One
/// block.
struct PrototypeFactors {
  SinkhornJob job;
  SinkhornCut cut;
  SinkhornSpace space;
  bool first;  ///< all entries are first made to sum to one

  /// Mass that every entry gets when a prototype has none left at all: it
  /// would have to be divided by zero.
  static constexpr float kRescueMass = 1e-12F;

  template <typename Team>
  SWAVD_HOST_DEVICE void operator()(Team& team) const {
    constexpr float kMost = std::numeric_limits<float>::max();
    const std::int64_t columns = job.prototypes;
    float total = 0.0F;
    for (std::int64_t k = team.thread(); k < columns; k += team.size()) {
      float sum = 0.0F;
      for (std::int64_t piece = 0; piece < cut.pieces; ++piece) {
        sum += space.sums[piece * columns + k];
      }
      space.mass[k] = sum;
      total += sum;
    }
    total = team.sum(total);
    const float scale = first ? 1.0F / total : 1.0F;
    float empty = 0.0F;
    for (std::int64_t k = team.thread(); k < columns; k += team.size()) {
      empty += space.mass[k] * scale == 0.0F ? 1.0F : 0.0F;
    }
    const float added = team.sum(empty) > 0.0F ? kRescueMass : 0.0F;
    const float share = 1.0F / static_cast<float>(columns);
    const float rescued = added * static_cast<float>(job.rows);
    for (std::int64_t k = team.thread(); k < columns; k += team.size()) {
      const float factor = share / (space.mass[k] * scale + rescued);
      space.factors[k] = factor > kMost ? kMost : factor;  // keeps a NaN
    }
    if (team.thread() == 0) {
      space.control[0] = scale;
      space.control[1] = added;
    }
  }
};

/// Multiplies every entry by its prototype's factor, then each row so that it
/// sums to `row_mass`; sums[block] = the block's rows of it, by prototype.
struct BalanceRows {
  SinkhornJob job;
  SinkhornCut cut;
  SinkhornSpace space;
  float row_mass;

  template <typename Team>
  SWAVD_HOST_DEVICE void operator()(Team& team) const {
    // A row far below the greatest score may have underflowed to zero.
    constexpr float kLeastMass = std::numeric_limits<float>::min();
    const std::int64_t columns = job.prototypes;
    const std::int64_t first = team.block() * cut.piece_rows;
    const std::int64_t last =
        first + cut.piece_rows < job.rows ? first + cut.piece_rows : job.rows;
    const float scale = space.control[0];
    const float added = space.control[1];
    float* sums = space.sums + team.block() * columns;
    for (std::int64_t r = first; r < last; ++r) {
      float* row = job.plan + r * columns;
      float sum = 0.0F;
      for (std::int64_t k = team.thread(); k < columns; k += team.size()) {
        const float entry = (row[k] * scale + added) * space.factors[k];
        row[k] = entry;
        sum += entry;
      }
      sum = team.sum(sum);
      const float share = row_mass / (sum < kLeastMass ? kLeastMass : sum);
      for (std::int64_t k = team.thread(); k < columns; k += team.size()) {
        const float entry = row[k] * share;
        row[k] = entry;
        sums[k] = r == first ? entry : sums[k] + entry;
      }
    }
  }
};

/// The whole job: launch(blocks, functor) runs a functor for so many blocks,
/// each launch after the one before.
template <typename Launch>
void run_sinkhorn(const SinkhornJob& job, const Launch& launch) {
  const SinkhornCut cut(job);
  const SinkhornSpace space = sinkhorn_space(job, cut);
  launch(
      cut.searchers,
      FindGreatest{
          job.scores, job.rows * job.prototypes, cut.searchers, space.found});
  launch(cut.pieces, FirstPlan{job, cut, space});
  for (std::int32_t i = 0; i < job.iterations; ++i) {
    launch(1, PrototypeFactors{job, cut, space, i == 0});
    const bool more = i + 1 < job.iterations;
    launch(
        cut.pieces,
        BalanceRows{
            job,
            cut,
            space,
            more ? 1.0F / static_cast<float>(job.rows) : 1.0F});
  }
}

inline std::int64_t sinkhorn_workspace(
    std::int64_t rows,
    std::int64_t prototypes) {
  const SinkhornJob job{nullptr, nullptr, nullptr, rows, prototypes, 1.0F, 1};
  const SinkhornCut cut(job);
  return cut.searchers + 2 * prototypes + 2 + cut.pieces * prototypes;
}

}  // namespace swavd::trainer
