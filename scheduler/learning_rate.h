#pragma once

#include <cstdint>

namespace swavd::scheduler {

enum class ScheduleKind { kFixedThenHalving, kCosine, kConstant };

/// Where the cosine is evaluated: over the images after the warm-up (the swav
/// repository) or over all images (VISSL; the rate drops at the join).
enum class CosineVariant { kRescaled, kFixed };

/// All lengths are in images, so that they keep their meaning when the batch
/// size changes.
struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kFixedThenHalving;
  double learning_rate = 0.3;  ///< the peak, used as it is
  double warmup_start = 0;     ///< rate of the first step
  std::uint64_t warmup_images = 0;

  // fixed-then-halving: SEER's fixed rate, divided by 2 on plateaus. The
  // criterion is not published; this one is ours (ops/docs/schedule.md).
  double min_improvement = 0.01;  ///< relative, of the smoothed loss
  std::uint64_t patience_images = 2'000'000;
  std::uint64_t cooldown_images = 1'000'000;
  double floor = 0;  ///< the rate is never halved below it

  // cosine
  std::uint64_t total_images = 0;  ///< required, warm-up included
  double end_learning_rate = 0;
  CosineVariant cosine = CosineVariant::kRescaled;
};

/// Why the rate was halved, in images and nats: since `best_at` the smoothed
/// loss had not fallen below `best_loss` by the share that counts; or it had
/// risen all the time since `risen_since`.
struct Halving {
  std::uint64_t at = 0;  ///< images; 0: never yet
  double best_loss = 0;
  std::uint64_t best_at = 0;
  double smoothed_loss = 0;       ///< when it was halved
  std::uint64_t risen_since = 0;  ///< 0: it had not, it stayed

  friend bool operator==(const Halving&, const Halving&) = default;
};

/// The rate an operator gave the run. Everything that follows is multiplied by
/// `rate / instead_of`; where that was 0 (a cosine at its end), it is `rate`.
struct SetRate {
  double rate = 0;        ///< 0: never given
  double instead_of = 0;  ///< what the schedule alone had given then
  std::uint64_t at = 0;   ///< images

  friend bool operator==(const SetRate&, const SetRate&) = default;
};

/// What the schedule remembers; part of the snapshot.
struct ScheduleState {
  std::uint64_t images = 0;  ///< trained so far
  std::uint64_t halvings = 0;
  double smoothed_loss = 0;     ///< nats; bias-corrected moving average
  double smoothing_weight = 0;  ///< weight gathered so far, in [0, 1]
  double best_loss = 0;         ///< what the smoothed loss has to fall below
  std::uint64_t best_at = 0;    ///< images when it was reached
  std::uint64_t cooldown_until = 0;
  bool has_best = false;
  /// Images when it last improved, or began to be watched; a rise moves
  /// `best_at` and not this.
  std::uint64_t improved_at = 0;
  Halving last_halving;
  SetRate set_rate;

  friend bool operator==(const ScheduleState&, const ScheduleState&) = default;
};

/// Where a warm-up from 0 to `peak` over `warmup_images` (at least 1) begins:
/// at its rate after a first step of `step_images`, at most `peak`. At a rate
/// of exactly 0 the first step would move nothing but the momenta, and LARC,
/// which takes the gradient of a tensor of zeros as it is, would do so twice.
[[nodiscard]] double rate_one_step_up(
    double peak,
    std::uint64_t warmup_images,
    std::uint64_t step_images);

/// The rate of the next step.
[[nodiscard]] double learning_rate(
    const ScheduleOptions& options,
    const ScheduleState& state);

/// The state after an operator gave the rate `rate`, above 0, in force from the
/// next step on. `constant` stays at it; `fixed-then-halving` halves it, after
/// a cool-down; a cosine goes on in its own shape from there. During a warm-up
/// it is the rate that the warm-up leads to.
[[nodiscard]] ScheduleState
with_rate(const ScheduleOptions& options, ScheduleState state, double rate);

/// Would the next halving change nothing, because of `floor`?
[[nodiscard]] bool at_floor(
    const ScheduleOptions& options,
    const ScheduleState& state);

/// A smoothed loss so far above the best one, in units of `min_improvement`,
/// says that the stream has changed and not that learning has stopped: what
/// follows is compared with the new level, for up to twice the patience.
inline constexpr double kRiseOfAChange = 1;

/// The state after a step of `images` images whose loss, before its update,
/// was `loss`: a free validation on images never seen. Halves the rate when the
/// smoothed loss has not improved by `min_improvement` for `patience_images`,
/// outside warm-up and cool-down and once there is enough to smooth.
[[nodiscard]] ScheduleState observe(
    const ScheduleOptions& options,
    ScheduleState state,
    double loss,
    std::uint64_t images);

}  // namespace swavd::scheduler
