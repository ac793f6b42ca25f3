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

/// What the schedule remembers; part of the snapshot.
struct ScheduleState {
  std::uint64_t images = 0;  ///< trained so far
  std::uint64_t halvings = 0;
  double smoothed_loss = 0;     ///< nats; bias-corrected moving average
  double smoothing_weight = 0;  ///< weight gathered so far, in [0, 1]
  double best_loss = 0;         ///< lowest smoothed loss since the last halving
  std::uint64_t best_at = 0;    ///< images when it was reached
  std::uint64_t cooldown_until = 0;
  bool has_best = false;

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

/// The state after a step of `images` images whose loss, before its update,
/// was `loss`: a free validation on images never seen. Counts a plateau when
/// the smoothed loss has not improved by `min_improvement` for
/// `patience_images`, outside warm-up and cool-down.
[[nodiscard]] ScheduleState observe(
    const ScheduleOptions& options,
    ScheduleState state,
    double loss,
    std::uint64_t images);

}  // namespace swavd::scheduler
