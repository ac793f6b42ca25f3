#include "tests/scheduler/loss_curves.h"

#include <cmath>
#include <numbers>

namespace swavd::scheduler {

namespace {

/// Numbers that are the same with every standard library.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : numbers_(seed) {}

  double uniform() {
    constexpr double kScale = 1.0 / 9007199254740992.0;  // 2^-53
    return (static_cast<double>(numbers_() >> 11U) + 0.5) * kScale;
  }

  /// Of deviation 1 (Box and Muller).
  double normal() {
    if (spare_) {
      const double value = *spare_;
      spare_.reset();
      return value;
    }
    const double length = std::sqrt(-2.0 * std::log(uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = length * std::sin(angle);
    return length * std::cos(angle);
  }

 private:
  std::mt19937_64 numbers_;
  std::optional<double> spare_;
};

/// The loss without chance, step by step.
class Truth {
 public:
  explicit Truth(const LossCurve& curve)
      : curve_(curve),
        loss_(curve.loss),
        goal_(curve.falls_to) {}

  [[nodiscard]] double loss() const { return loss_; }

  void pass(double patiences) {
    goal_ *= 1.0 + curve_.drift * patiences;
    loss_ = goal_ + (loss_ - goal_) * std::exp(-patiences / curve_.time);
  }

  void shift() { loss_ *= 1.0 + curve_.shift; }

  /// Each one gains less than the one before.
  void halve() {
    goal_ *= 1.0 - curve_.per_halving * gain_;
    gain_ *= 0.5;
  }

  /// By which share it falls in the next patience at this rate.
  [[nodiscard]] double falls_in_a_patience() const {
    Truth ahead = *this;
    constexpr int kParts = 20;
    for (int i = 0; i < kParts; ++i) {
      ahead.pass(1.0 / kParts);
    }
    return 1.0 - ahead.loss_ / loss_;
  }

 private:
  LossCurve curve_;
  double loss_;
  double goal_;
  double gain_ = 1;
};

}  // namespace

SimulatedRun simulate(
    const ScheduleOptions& options,
    const LossCurve& curve,
    const LossNoise& noise,
    std::int64_t steps_per_patience,
    double patiences,
    std::uint64_t seed) {
  const double step = 1.0 / static_cast<double>(steps_per_patience);
  const auto batch = static_cast<std::uint64_t>(
      static_cast<double>(options.patience_images) * step);
  const auto steps = static_cast<std::int64_t>(patiences / step);
  const auto shift_step = static_cast<std::int64_t>(curve.shift_at / step);
  Chance chance(seed);
  Truth truth(curve);
  ScheduleState state;
  SimulatedRun run;
  double plateau_from = -1;
  for (std::int64_t i = 0; i < steps; ++i) {
    const double now = static_cast<double>(i) * step;
    if (curve.shift_at >= 0 && i == shift_step) {
      truth.shift();
      plateau_from = -1;
    }
    double loss = truth.loss() * (1.0 + noise.deviation * chance.normal());
    if (noise.outliers > 0 && chance.uniform() < noise.outliers) {
      loss *= 1.0 + noise.outlier;
    }
    constexpr std::int64_t kLook = 50;  // steps
    if (plateau_from < 0 && i % kLook == 0 &&
        truth.falls_in_a_patience() < options.min_improvement) {
      plateau_from = now;
    }
    const std::uint64_t halvings = state.halvings;
    state = observe(options, state, loss, batch);
    if (state.halvings > halvings) {
      run.halvings.push_back({now, truth.falls_in_a_patience()});
      run.plateaus_from.push_back(plateau_from);
      truth.halve();
      plateau_from = -1;
    }
    truth.pass(step);
  }
  return run;
}

}  // namespace swavd::scheduler
