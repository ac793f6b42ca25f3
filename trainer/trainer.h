#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dedup_free_loader/batch.h"
#include "ops/base/result.h"
#include "state/frozen_state.h"
#include "state/snapshot_store.h"
#include "trainer/initial_weights.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// Seconds of wall clock that a step spent, by phase.
struct StepPhases {
  double forward = 0;
  double sinkhorn = 0;  ///< codes and loss
  double backward = 0;
  double optimizer = 0;
};

/// The factors by which LARC or LARS scaled the gradients of tensors,
/// percentiles over the tensors that have one.
struct TrustRatios {
  double p10 = 0;
  double p50 = 0;
  double p90 = 0;
};

/// What one call of `step` did.
struct StepReport {
  bool trained = false;     ///< false: skipped, nothing changed
  std::string skip_reason;  ///< "nonfinite_loss" or "nonfinite_grad"
  std::uint64_t step = 0;   ///< updates since the run began, after this call
  /// Nats, of this batch before its update; the mean over the sets of
  /// prototypes.
  double loss = 0;
  double grad_norm = 0;    ///< L2 over all parameters
  double feature_std = 0;  ///< mean per-dimension std of the embeddings
  std::optional<TrustRatios> trust_ratios;  ///< none: plain SGD
  double loss_scale = 1;                    ///< after this call; 1 unless fp16
  std::int32_t overflows = 0;    ///< tries before this one, at a greater scale
  std::uint64_t peak_bytes = 0;  ///< most tensor memory in use during the step
  StepPhases phases;
  /// [images]: the prototype of the first set that each image's first crop
  /// scores highest on.
  std::vector<std::int32_t> top_prototypes;
  /// [rows, embedding dimension] float32, rows of length one: the first crops
  /// of at most 16 images, spread evenly over the batch.
  std::vector<float> embeddings;
};

/// Features of a batch of centre crops: float32 [rows, dim], pooled trunk
/// output, not normalised.
struct Features {
  std::int64_t rows = 0;
  std::int64_t dim = 0;
  std::vector<float> values;
};

/// The prototype that each image chooses, of every set: [sets][images].
using Choices = std::vector<std::vector<std::int32_t>>;

/// Which weights of a snapshot: those it publishes, or those that training goes
/// on with. The same ones unless a moving average is published.
enum class Weights { kPublished, kRaw };

/// Turns batches into updates. Not thread-safe: one thread drives a trainer
/// for its whole life.
class Trainer {
 public:
  Trainer() = default;
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  virtual ~Trainer() = default;

  /// Memory for the loader's crops.
  [[nodiscard]] virtual loader::BufferAllocator allocator() = 0;

  /// Whether to be told of the batch after this one while it waits: see
  /// `expect`.
  [[nodiscard]] virtual bool looks_ahead() const { return false; }

  /// The batch that the step after the next will most likely be of: a device
  /// fetches its crops while it works on the next. Changes nothing else.
  virtual void expect(const loader::Batch& /*batch*/) {}

  /// One update at `learning_rate`. A non-finite loss or gradient is no
  /// error: the report says skipped, and weights, momenta, BN statistics and
  /// queue are as before. In fp16 a non-finite gradient halves the loss scale
  /// and the batch is tried again; it is skipped, with the scale as before,
  /// when the gradient is not finite at scale 1 either. Errors:
  /// kInvalidArgument (shapes), kExhausted.
  [[nodiscard]] virtual Result<StepReport> step(
      const loader::Batch& batch,
      double learning_rate) = 0;

  /// A copy of everything learnt, in staging memory that is reused: at most
  /// two frozen states are alive at a time, a third call waits for none and
  /// aborts. Postpone a freeze while the one before the last is still held.
  [[nodiscard]] virtual state::FrozenState freeze() = 0;

  /// Continues from a snapshot: copies into the existing tensors.
  /// Errors: kInvalidArgument naming the first tensor that does not fit,
  /// kCorruption.
  [[nodiscard]] virtual Status restore(state::SnapshotReader& snapshot) = 0;

  /// Takes the trunk only, for `embed`. The published one is in every pulled
  /// snapshot; the raw one, where it is another, in `state.safetensors`.
  /// Training must not go on from it.
  /// Errors: as `restore`; kNotFound, pulled without the state.
  [[nodiscard]] virtual Status restore_model(
      state::SnapshotReader& snapshot,
      Weights weights) = 0;

  /// Takes somebody's weights before the first step, for the average too;
  /// tensors they have no value for stay as they are. Errors: kIo, kCorruption
  /// (the trainer is then of no use); kInvalidArgument, a trainer without
  /// weights.
  [[nodiscard]] virtual Status begin_with(const InitialWeights& weights) = 0;

  /// From now on the weights themselves are published, and no average of them:
  /// for a branch whose falling rate does the averaging.
  virtual void stop_averaging() = 0;

  /// Features of the batch's first crop group, in evaluation mode, by the
  /// published weights.
  [[nodiscard]] virtual Result<Features> embed(const loader::Batch& batch) = 0;

  /// Which prototype of each set each image of the batch's first crop group
  /// scores highest on, in evaluation mode, by the published weights:
  /// [sets][rows]. Needs all of a snapshot restored.
  [[nodiscard]] virtual Result<Choices> assign(const loader::Batch& batch) = 0;

  /// Updates since the run began.
  [[nodiscard]] virtual std::uint64_t steps() const = 0;

  /// Prototypes K of the first set; 0 for a trainer without any.
  [[nodiscard]] virtual std::int64_t prototypes() const = 0;

  /// The loss of a model that knows nothing, in nats: ln K, its mean over
  /// several sets; 0 without prototypes.
  [[nodiscard]] virtual double ln_k() const { return 0; }
};

/// The real one, on the device of the options. Errors: kInvalidArgument
/// (options), kExhausted; kUnavailable: the device, or a build without
/// LibTorch.
[[nodiscard]] Result<std::unique_ptr<Trainer>> make_torch_trainer(
    const TrainerOptions& options);

/// Learns nothing and counts everything: its "weights" are how many records
/// it was fed, rejected ones included, and a commutative hash of their
/// addresses (the tensors `ledger.count`, I64, and `ledger.hash`, U64, with
/// ingest::Ledger's formula), so that any skip, duplicate or mix-up of
/// snapshot and position shows. For crash tests.
[[nodiscard]] std::unique_ptr<Trainer> make_ledger_trainer();

}  // namespace swavd::trainer
