#pragma once

#include <cstdint>
#include <span>

#include "scheduler/health.h"
#include "scheduler/prototype_window.h"
#include "scheduler/rank_me.h"

namespace swavd::scheduler {

/// What one step shows of a model's health.
struct StepSigns {
  std::uint64_t images = 0;  ///< of the step
  double loss = 0;           ///< nats, before the update
  double grad_norm = 0;
  double feature_std = 0;  ///< mean per dimension, of unit vectors
  /// [images]: the prototype that each image chose.
  std::span<const std::int32_t> top_prototypes;
  /// [n, dim]: embeddings of some of the images, n at least 0.
  std::span<const float> embeddings;
};

/// What is known of a run's health; the part of it that a snapshot carries
/// (all but the windows) is where the next process goes on from.
struct HealthFigures {
  Health health;
  double loss = 0;       ///< nats, over the last 25 steps or so
  double best_loss = 0;  ///< the lowest it was, slowly forgotten; 0: none yet
  double grad_norm = 0;  ///< geometric mean over the last 25 steps or so
  double feature_std = 0;
  double rank = 0;  ///< RankMe; 0: not known yet
  PrototypeUse use;
};

/// Gathers the signs of a run and judges them after every step. Pure but for
/// its own windows: 10 K choices of prototypes and at most 1,024 embeddings.
/// Not thread-safe.
class HealthMonitor {
 public:
  /// `prototypes`: K of the set that is watched; `ln_k`: the loss of a model
  /// that knows nothing, nats; `dim`: of an embedding. `before`: from the
  /// snapshot that the run continues from; its `use` is not looked at.
  HealthMonitor(
      const HealthOptions& options,
      std::int64_t prototypes,
      double ln_k,
      std::int64_t dim,
      const HealthFigures& before);

  /// `images_in_all`: along the lineage, with this step's. Costs some
  /// microseconds, and those of `rank_me` once all its embeddings are new.
  void observe(const StepSigns& signs, std::uint64_t images_in_all);

  [[nodiscard]] const HealthFigures& figures() const { return figures_; }

 private:
  void watch_loss(const StepSigns& signs);
  void watch_gradient(const StepSigns& signs);

  const HealthOptions options_;
  const std::int64_t prototypes_;
  const std::int64_t dim_;
  const double ln_k_;
  PrototypeWindow window_;
  EmbeddingReservoir embeddings_;
  HealthFigures figures_;
  double loss_weight_ = 0;    ///< gathered by the mean of the loss, 0 to 1
  double fast_gradient_ = 0;  ///< mean of ln(norm), short
  double slow_gradient_ = 0;  ///< and long
  double fast_weight_ = 0;    ///< gathered by them
  double slow_weight_ = 0;
  double gradient_ratio_ = 1;
  std::uint64_t lost_images_ = 0;
  std::uint64_t above_images_ = 0;
};

}  // namespace swavd::scheduler
