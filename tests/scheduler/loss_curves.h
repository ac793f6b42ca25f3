#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "scheduler/learning_rate.h"

namespace swavd::scheduler {

/// What the loss of a batch would be without chance, along a run. Times are in
/// patiences, so that one curve serves every setting.
struct LossCurve {
  std::string name;
  double loss = 8;         ///< at the start, nats
  double falls_to = 4;     ///< where it goes at the first rate
  double time = 1;         ///< time constant of the way there
  double drift = 0;        ///< share by which `falls_to` changes a patience
  double per_halving = 0;  ///< share of `falls_to` that a halving gains
  double shift_at = -1;    ///< the stream changes; below 0: never
  double shift = 0;        ///< share by which the loss rises then
};

/// The chance in the losses of batches, as shares of the loss.
struct LossNoise {
  double deviation = 0.01;  ///< of a batch
  double outliers = 0;      ///< share of batches
  double outlier = 0.1;     ///< by which share such a batch is worse
};

/// A halving in a simulated run.
struct SimulatedHalving {
  double at = 0;  ///< patiences from the start
  /// By which share the loss without chance would still have fallen in the
  /// next patience at the rate there was.
  double would_have_fallen = 0;
};

/// What a run on a curve came to.
struct SimulatedRun {
  std::vector<SimulatedHalving> halvings;
  /// When the loss without chance first fell by less than `min_improvement` in
  /// a patience, from its last halving or shift on; before each halving.
  std::vector<double> plateaus_from;
};

/// Runs the schedule `patiences` long, in `steps_per_patience` batches a
/// patience.
[[nodiscard]] SimulatedRun simulate(
    const ScheduleOptions& options,
    const LossCurve& curve,
    const LossNoise& noise,
    std::int64_t steps_per_patience,
    double patiences,
    std::uint64_t seed);

}  // namespace swavd::scheduler
