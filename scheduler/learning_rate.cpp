#include "scheduler/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace swavd::scheduler {

namespace {

double halved(const ScheduleOptions& options, std::uint64_t halvings) {
  const double rate =
      std::ldexp(options.learning_rate, -static_cast<int>(halvings));
  return std::max(rate, std::min(options.floor, options.learning_rate));
}

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
  return !state.has_best ||
         state.smoothed_loss <
             state.best_loss * (1.0 - options.min_improvement);
}

void restart_watch(ScheduleState& state) {
  state.best_loss = state.smoothed_loss;
  state.best_at = state.images;
  state.has_best = true;
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
  if (state.images < options.warmup_images) {
    const double along = static_cast<double>(state.images) /
                         static_cast<double>(options.warmup_images);
    return options.warmup_start +
           along * (options.learning_rate - options.warmup_start);
  }
  switch (options.kind) {
    case ScheduleKind::kFixedThenHalving:
      return halved(options, state.halvings);
    case ScheduleKind::kCosine:
      return cosine(options, state.images);
    case ScheduleKind::kConstant:
      break;
  }
  return options.learning_rate;
}

ScheduleState observe(
    const ScheduleOptions& options,
    ScheduleState state,
    double loss,
    std::uint64_t images) {
  state.images += images;
  smooth(options, state, loss, images);
  if (options.kind != ScheduleKind::kFixedThenHalving ||
      state.images < options.warmup_images ||
      state.images < state.cooldown_until) {
    restart_watch(state);
    return state;
  }
  if (improved(options, state)) {
    restart_watch(state);
    return state;
  }
  const bool plateau = state.images - state.best_at >= options.patience_images;
  const bool at_floor =
      halved(options, state.halvings + 1) >= halved(options, state.halvings);
  if (plateau && !at_floor) {
    ++state.halvings;
    state.cooldown_until = state.images + options.cooldown_images;
    restart_watch(state);
  }
  return state;
}

}  // namespace swavd::scheduler
