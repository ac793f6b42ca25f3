#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "trainer/cuda/host_device.h"
#include "trainer/cuda/kernel_jobs.h"

namespace swavd::trainer {

/// Elements of a tensor that one block works off.
inline constexpr std::int64_t kUpdateChunk = 32768;

SWAVD_HOST_DEVICE inline std::int64_t update_chunks(
    const UpdateTensor& tensor) {
  return (tensor.count + kUpdateChunk - 1) / kUpdateChunk;
}

/// Some of a job's tensors, small enough to be an argument of a launch: so a
/// table of pointers, new with every step, needs no copy of its own.
struct TensorBatch {
  static constexpr int kMost = 64;

  UpdateTensor tensors[kMost];
  std::int64_t first_chunk[kMost + 1];  ///< of each tensor, and their end
  std::int32_t count;
  std::int64_t first_tensor;   ///< of the job
  std::int64_t chunks_before;  ///< of the job's tensors before those

  /// Which tensor of the batch this chunk of the batch is of.
  SWAVD_HOST_DEVICE int tensor_of(std::int64_t chunk) const {
    int low = 0;
    int high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (first_chunk[middle] <= chunk) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /// The numbers of its tensor that a chunk of the batch holds: [begin, end).
  struct Range {
    std::int64_t begin;
    std::int64_t end;
  };

  SWAVD_HOST_DEVICE Range range_of(std::int64_t chunk, int index) const {
    const std::int64_t begin = (chunk - first_chunk[index]) * kUpdateChunk;
    const std::int64_t left = tensors[index].count - begin;
    return {begin, begin + (kUpdateChunk < left ? kUpdateChunk : left)};
  }
};

/// Calls body(batch) for all tensors, some at a time.
template <typename Body>
void for_each_batch(
    const UpdateTensor* tensors,
    std::int64_t count,
    const Body& body) {
  std::int64_t chunks_before = 0;
  for (std::int64_t first = 0; first < count; first += TensorBatch::kMost) {
    TensorBatch batch{};
    batch.first_tensor = first;
    batch.chunks_before = chunks_before;
    const std::int64_t left = count - first;
    batch.count = static_cast<std::int32_t>(
        left < TensorBatch::kMost ? left : TensorBatch::kMost);
    for (std::int32_t i = 0; i < batch.count; ++i) {
      batch.tensors[i] = tensors[first + i];
      batch.first_chunk[i + 1] =
          batch.first_chunk[i] + update_chunks(batch.tensors[i]);
    }
    chunks_before += batch.first_chunk[batch.count];
    body(batch);
  }
}

/// Squares of a chunk, summed: of the parameter and of the gradient with
/// `decay` times the parameter. partial[2 * chunk of the job], and behind it.
struct ChunkSquares {
  TensorBatch batch;
  float decay;
  float* partial;

  template <typename Team>
  SWAVD_HOST_DEVICE void operator()(Team& team) const {
    const int index = batch.tensor_of(team.block());
    const UpdateTensor& tensor = batch.tensors[index];
    const TensorBatch::Range range = batch.range_of(team.block(), index);
    float parameter = 0.0F;
    float direction = 0.0F;
    for (std::int64_t i = range.begin + team.thread(); i < range.end;
         i += team.size()) {
      const float p = tensor.parameter[i];
      const float d = tensor.gradient[i] + decay * p;
      parameter += p * p;
      direction += d * d;
    }
    parameter = team.sum(parameter);
    direction = team.sum(direction);
    if (team.thread() == 0) {
      float* out = partial + 2 * (batch.chunks_before + team.block());
      out[0] = parameter;
      out[1] = direction;
    }
  }
};

/// Of one tensor, its block: ratio, factor and decay from its chunks' squares.
struct TensorRatio {
  TensorBatch batch;
  RatioJob job;

  template <typename Team>
  SWAVD_HOST_DEVICE void operator()(Team& team) const {
    const auto index = static_cast<int>(team.block());
    const UpdateTensor& tensor = batch.tensors[index];
    double parameter = 0;
    double direction = 0;
    const std::int64_t begin = batch.chunks_before + batch.first_chunk[index];
    const std::int64_t end = batch.chunks_before + batch.first_chunk[index + 1];
    for (std::int64_t i = begin + team.thread(); i < end; i += team.size()) {
      parameter += static_cast<double>(job.workspace[2 * i]);
      direction += static_cast<double>(job.workspace[2 * i + 1]);
    }
    parameter = team.sum(parameter);
    direction = team.sum(direction);
    if (team.thread() == 0) {
      write(
          batch.first_tensor + index,
          tensor.adapted != 0,
          std::sqrt(parameter),
          std::sqrt(direction));
    }
  }

  SWAVD_HOST_DEVICE void write(
      std::int64_t out,
      bool adapted,
      double parameter,
      double direction) const {
    const double decay = static_cast<double>(job.weight_decay);
    const double trust = static_cast<double>(job.trust);
    double ratio = std::numeric_limits<double>::quiet_NaN();
    bool decayed = adapted;
    if (job.rule == RatioRule::kLarc) {
      constexpr double kEpsilon = 1e-8;  // apex's default
      decayed = parameter != 0 && direction != 0;
      if (decayed) {
        ratio = trust * parameter / (direction + decay * parameter + kEpsilon);
      }
    } else if (adapted && parameter > 0 && direction > 0) {
      ratio = trust * parameter / direction;
    }
    job.ratios[out] = static_cast<float>(ratio);
    job.factors[out] = ratio == ratio ? static_cast<float>(ratio) : 1.0F;
    job.decays[out] = decayed ? job.weight_decay : 0.0F;
  }
};

/// The update of one chunk.
struct UpdateChunk {
  TensorBatch batch;
  UpdateJob job;

  template <typename Team>
  SWAVD_HOST_DEVICE void operator()(Team& team) const {
    const int index = batch.tensor_of(team.block());
    const UpdateTensor& tensor = batch.tensors[index];
    const TensorBatch::Range range = batch.range_of(team.block(), index);
    const std::int64_t row = batch.first_tensor + index;
    const float factor = job.factors != nullptr ? job.factors[row] : 1.0F;
    const float decay =
        job.decays != nullptr ? job.decays[row] : job.weight_decay;
    for (std::int64_t i = range.begin + team.thread(); i < range.end;
         i += team.size()) {
      const float p = tensor.parameter[i];
      const float d = tensor.gradient[i] + decay * p;
      const float v = job.momentum * tensor.momentum[i] + factor * d;
      tensor.momentum[i] = v;
      tensor.parameter[i] = p - job.rate * v;
    }
  }
};

template <typename Launch>
void run_trust_ratios(const RatioJob& job, const Launch& launch) {
  const float decay = job.rule == RatioRule::kLars ? job.weight_decay : 0.0F;
  for_each_batch(job.tensors, job.tensor_count, [&](const TensorBatch& batch) {
    launch(
        batch.first_chunk[batch.count],
        ChunkSquares{batch, decay, job.workspace});
  });
  for_each_batch(job.tensors, job.tensor_count, [&](const TensorBatch& batch) {
    launch(batch.count, TensorRatio{batch, job});
  });
}

template <typename Launch>
void run_update(const UpdateJob& job, const Launch& launch) {
  for_each_batch(job.tensors, job.tensor_count, [&](const TensorBatch& batch) {
    launch(batch.first_chunk[batch.count], UpdateChunk{batch, job});
  });
}

inline std::int64_t update_workspace(
    const UpdateTensor* tensors,
    std::int64_t tensor_count) {
  std::int64_t chunks = 0;
  for (std::int64_t i = 0; i < tensor_count; ++i) {
    chunks += update_chunks(tensors[i]);
  }
  return 2 * chunks;
}

}  // namespace swavd::trainer
