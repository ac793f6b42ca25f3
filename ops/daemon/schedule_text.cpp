#include "ops/daemon/schedule_text.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace swavd::daemon {

namespace {

using scheduler::ScheduleKind;
using scheduler::ScheduleOptions;

constexpr double kMostRate = 1000;

std::string_view kind_of(const ScheduleOptions& options) {
  switch (options.kind) {
    case ScheduleKind::kFixedThenHalving:
      return "fixed-then-halving";
    case ScheduleKind::kCosine:
      return "cosine";
    case ScheduleKind::kConstant:
      break;
  }
  return "constant";
}

/// "3,840 images (60 steps)".
std::string length(std::uint64_t images, std::int64_t batch_images) {
  const auto batch = static_cast<std::uint64_t>(batch_images);
  return fmt::format(
      "{} images ({} steps)", images, images / batch + (images % batch != 0));
}

std::string halving_rule(
    const ScheduleOptions& options,
    std::int64_t batch_images) {
  return fmt::format(
      "{:g}, halved when the smoothed loss has not fallen by {:g} % in {}; not "
      "judged for {} after a halving; {}",
      options.learning_rate,
      100 * options.min_improvement,
      length(options.patience_images, batch_images),
      length(options.cooldown_images, batch_images),
      options.floor > 0 ? fmt::format("never below {:g}", options.floor)
                        : std::string("no floor"));
}

std::string cosine_rule(
    const ScheduleOptions& options,
    std::int64_t batch_images) {
  const bool rescaled = options.cosine == scheduler::CosineVariant::kRescaled;
  return fmt::format(
      "a cosine from {:g} to {:g} at {}, over {}",
      options.learning_rate,
      options.end_learning_rate,
      length(options.total_images, batch_images),
      rescaled ? "what follows the warm-up"
               : "all images, the warm-up's included");
}

std::string rule(const ScheduleOptions& options, std::int64_t batch_images) {
  switch (options.kind) {
    case ScheduleKind::kFixedThenHalving:
      return halving_rule(options, batch_images);
    case ScheduleKind::kCosine:
      return cosine_rule(options, batch_images);
    case ScheduleKind::kConstant:
      break;
  }
  return fmt::format("{:g} for ever", options.learning_rate);
}

}  // namespace

std::string schedule_text(
    const ScheduleOptions& options,
    std::int64_t batch_images) {
  const std::string warmup =
      options.warmup_images == 0
          ? "no warm-up"
          : fmt::format(
                "warm-up from {:g} to {:g} over {}",
                options.warmup_start,
                options.learning_rate,
                length(options.warmup_images, batch_images));
  return fmt::format(
      "{}: {}, then {}", kind_of(options), warmup, rule(options, batch_images));
}

std::vector<std::string> schedule_warnings(
    const ScheduleOptions& options,
    std::int64_t batch_images) {
  std::vector<std::string> warnings;
  // The largest rate that the SwAV authors began with at once (256 images).
  constexpr double kAtOnce = 0.6;
  if (options.warmup_images == 0 && options.learning_rate > kAtOnce) {
    warnings.push_back(fmt::format(
        "the first step already has the whole rate of {:g}: set "
        "schedule.warmup_images, SEER's runs took some thousand steps",
        options.learning_rate));
  }
  if (options.warmup_images > 0 &&
      options.warmup_images <= static_cast<std::uint64_t>(batch_images)) {
    warnings.push_back(fmt::format(
        "schedule.warmup_images = {} are no more than one step of {}: there is "
        "no warm-up",
        options.warmup_images,
        batch_images));
  }
  if (options.warmup_images > 0 &&
      options.warmup_start >= options.learning_rate) {
    warnings.push_back(fmt::format(
        "schedule.warmup_start is the whole rate of {:g}: there is no warm-up",
        options.learning_rate));
  }
  return warnings;
}

std::string halving_text(const scheduler::Halving& halving) {
  if (halving.at == 0) {
    return "";
  }
  if (halving.risen_since > 0) {
    return fmt::format(
        "halved at {} images: since {} images the smoothed loss has only "
        "risen, "
        "to {:.4f}",
        halving.at,
        halving.risen_since,
        halving.smoothed_loss);
  }
  return fmt::format(
      "halved at {} images: the smoothed loss was {:.4f} at {} images and "
      "{:.4f} another {} later",
      halving.at,
      halving.best_loss,
      halving.best_at,
      halving.smoothed_loss,
      halving.at - halving.best_at);
}

std::string schedule_status_json(
    const ScheduleOptions& options,
    const scheduler::ScheduleState& state) {
  nlohmann::ordered_json json;
  json["kind"] = kind_of(options);
  json["learning_rate"] = scheduler::learning_rate(options, state);
  json["peak"] = options.learning_rate;
  json["warming_up"] = state.images < options.warmup_images;
  if (options.kind == ScheduleKind::kFixedThenHalving) {
    json["halvings"] = state.halvings;
    json["best_loss"] = state.best_loss;
    json["images_since_best"] = state.images - state.best_at;
    json["patience_images"] = options.patience_images;
    json["judged_from_image"] =
        std::max(options.warmup_images, state.cooldown_until);
    json["at_floor"] = scheduler::at_floor(options, state);
    json["last_halving"] = halving_text(state.last_halving);
  }
  if (state.set_rate.rate > 0) {
    json["set"] = {{"rate", state.set_rate.rate}, {"at", state.set_rate.at}};
  }
  return json.dump();
}

Result<double> parse_rate(std::string_view text) {
  double rate = 0;
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, rate);
  if (error != std::errc() || read != end || !(rate > 0) || rate > kMostRate) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "\"{}\" is no learning rate: write a number above 0 and at most "
            "{:g}, such as 0.3",
            text,
            kMostRate)};
  }
  return rate;
}

}  // namespace swavd::daemon
