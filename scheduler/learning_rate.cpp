#include "scheduler/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace swavd::scheduler {

namespace {

double cosine(const ScheduleOptions& options, std::uint64_t images) {
  const bool rescaled = options.cosine == CosineVariant::kRescaled;
  const double skipped =
      rescaled ? static_cast<double>(options.warmup_images) : 0.0;
  const double length =
      std::max(1.0, static_cast<double>(options.total_images) - skipped);
  const double along =
      std::clamp((static_cast<double>(images) - skipped) / length, 0.0, 1.0);
  const double amplitude =
      0.5 * (options.learning_rate - options.end_learning_rate);
  return options.end_learning_rate +
         amplitude * (1.0 + std::cos(std::numbers::pi * along));
}

/// What the schedule alone gives after the warm-up, or at its end; a floor is
/// not looked at.
double planned(const ScheduleOptions& options, const ScheduleState& state) {
  if (state.images < options.warmup_images) {
    return options.learning_rate;
  }
  switch (options.kind) {
    case ScheduleKind::kFixedThenHalving:
      return std::ldexp(
          options.learning_rate, -static_cast<int>(state.halvings));
    case ScheduleKind::kCosine:
      return cosine(options, state.images);
    case ScheduleKind::kConstant:
      break;
  }
  return options.learning_rate;
}

/// `planned` as an operator may have changed it, and not below the floor.
double target(const ScheduleOptions& options, const ScheduleState& state) {
  double rate = planned(options, state);
  double most = options.learning_rate;
  if (const SetRate& set = state.set_rate; set.rate > 0) {
    rate = set.instead_of > 0 ? set.rate * (rate / set.instead_of) : set.rate;
    most = set.rate;
  }
  return options.kind == ScheduleKind::kFixedThenHalving
             ? std::max(rate, std::min(options.floor, most))
             : rate;
}

/// Time constant of the smoothing, in images: a tenth of the patience, so
/// that a plateau spans many of them; where nothing waits for a plateau, some
/// steps.
double smoothing_images(
    const ScheduleOptions& options,
    std::uint64_t step_images) {
  constexpr double kShare = 0.1;
  constexpr double kSteps = 25;
  return options.kind == ScheduleKind::kFixedThenHalving
             ? std::max(
                   1.0, kShare * static_cast<double>(options.patience_images))
             : kSteps * static_cast<double>(step_images);
}

void smooth(
    const ScheduleOptions& options,
    ScheduleState& state,
    double loss,
    std::uint64_t images) {
  const double keep = std::exp(
      -static_cast<double>(images) / smoothing_images(options, images));
  const double before = state.smoothed_loss * state.smoothing_weight;
  state.smoothing_weight = keep * state.smoothing_weight + (1.0 - keep);
  state.smoothed_loss =
      (keep * before + (1.0 - keep) * loss) / state.smoothing_weight;
}

bool improved(const ScheduleOptions& options, const ScheduleState& state) {
  return state.smoothed_loss <
         state.best_loss * (1.0 - options.min_improvement);
}

bool stream_changed(
    const ScheduleOptions& options,
    const ScheduleState& state) {
  return state.smoothed_loss >
         state.best_loss * (1.0 + kRiseOfAChange * options.min_improvement);
}

/// From here on the loss is compared with what it is now.
void compare_with_now(ScheduleState& state) {
  state.best_loss = state.smoothed_loss;
  state.best_at = state.images;
  state.has_best = true;
}

void restart_watch(ScheduleState& state) {
  compare_with_now(state);
  state.improved_at = state.images;
}

void halve(
    const ScheduleOptions& options,
    ScheduleState& state,
    std::uint64_t risen_since) {
  state.last_halving = {
      state.images,
      state.best_loss,
      state.best_at,
      state.smoothed_loss,
      risen_since};
  ++state.halvings;
  state.cooldown_until = state.images + options.cooldown_images;
  restart_watch(state);
}

}  // namespace

double rate_one_step_up(
    double peak,
    std::uint64_t warmup_images,
    std::uint64_t step_images) {
  return peak * std::min(
                    1.0,
                    static_cast<double>(step_images) /
                        static_cast<double>(warmup_images));
}

double learning_rate(
    const ScheduleOptions& options,
    const ScheduleState& state) {
  const double rate = target(options, state);
  if (state.images >= options.warmup_images) {
    return rate;
  }
  const double along = static_cast<double>(state.images) /
                       static_cast<double>(options.warmup_images);
  const double start = std::min(options.warmup_start, rate);
  return start + along * (rate - start);
}

ScheduleState
with_rate(const ScheduleOptions& options, ScheduleState state, double rate) {
  state.set_rate = {rate, planned(options, state), state.images};
  state.cooldown_until = state.images + options.cooldown_images;
  restart_watch(state);
  return state;
}

bool at_floor(const ScheduleOptions& options, const ScheduleState& state) {
  ScheduleState next = state;
  ++next.halvings;
  return options.kind == ScheduleKind::kFixedThenHalving &&
         target(options, next) >= target(options, state);
}

ScheduleState observe(
    const ScheduleOptions& options,
    ScheduleState state,
    double loss,
    std::uint64_t images) {
  state.images += images;
  smooth(options, state, loss, images);
  // A best value taken from a few batches would be one of chance.
  constexpr double kSmoothed = 0.63;  // once the average has its time constant
  const bool judged = options.kind == ScheduleKind::kFixedThenHalving &&
                      state.images >= options.warmup_images &&
                      state.images >= state.cooldown_until &&
                      state.smoothing_weight >= kSmoothed;
  if (!judged || !state.has_best || improved(options, state)) {
    restart_watch(state);
    return state;
  }
  if (stream_changed(options, state)) {
    compare_with_now(state);
  }
  if (at_floor(options, state)) {
    return state;
  }
  if (state.images - state.best_at >= options.patience_images) {
    halve(options, state, 0);
  } else if (state.images - state.improved_at >= 2 * options.patience_images) {
    halve(options, state, state.improved_at);
  }
  return state;
}

}  // namespace swavd::scheduler
