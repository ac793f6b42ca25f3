#include "scheduler/health.h"

#include <cmath>
#include <optional>

namespace swavd::scheduler {

namespace {

/// Fewer images than this per prototype cannot show how many are in use.
constexpr std::int64_t kImagesPerPrototype = 2;

constexpr std::array kReasons = {
    Reason::kTooEarly,
    Reason::kLossAtLnK,
    Reason::kLearning,
    Reason::kFewPrototypes,
    Reason::kOnePoint,
    Reason::kLowRank,
    Reason::kLossRising,
    Reason::kLossAboveLnK,
    Reason::kGradientExploding};

bool at_ln_k(const HealthOptions& options, double loss, double ln_k) {
  return loss > (1.0 - options.ln_k_margin) * ln_k;
}

/// Has the loss ever been far enough from ln K to speak of a loss of it?
bool has_learnt(const HealthOptions& options, const HealthInput& input) {
  constexpr double kMargins = 3;
  return input.best_loss < (1.0 - kMargins * options.ln_k_margin) * input.ln_k;
}

/// What an untrained model shows as well.
std::optional<Reason> sign_of_collapse(
    const HealthOptions& options,
    const HealthInput& input) {
  const auto k = static_cast<double>(input.prototypes);
  const auto dim = static_cast<double>(input.feature_dim);
  if (input.use.perplexity < options.collapse_perplexity * k) {
    return Reason::kFewPrototypes;
  }
  if (input.feature_std * std::sqrt(dim) < options.collapse_std) {
    return Reason::kOnePoint;
  }
  if (input.rank > 0 && input.rank < options.collapse_rank * dim) {
    return Reason::kLowRank;
  }
  return std::nullopt;
}

std::optional<Reason> sign_of_divergence(
    const HealthOptions& options,
    const HealthInput& input) {
  if (input.above_images >= options.diverging_after_images) {
    return Reason::kLossAboveLnK;
  }
  if (has_learnt(options, input) &&
      input.lost_images >= options.diverging_after_images) {
    return Reason::kLossRising;
  }
  if (input.gradient_ratio > options.gradient_factor) {
    return Reason::kGradientExploding;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kWarming:
      return "warming";
    case Verdict::kHealthy:
      return "healthy";
    case Verdict::kCollapsing:
      return "collapsing";
    case Verdict::kDiverging:
      break;
  }
  return "diverging";
}

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kTooEarly:
      return "too_early";
    case Reason::kLossAtLnK:
      return "loss_at_ln_k";
    case Reason::kLearning:
      return "learning";
    case Reason::kFewPrototypes:
      return "few_prototypes";
    case Reason::kOnePoint:
      return "one_point";
    case Reason::kLowRank:
      return "low_rank";
    case Reason::kLossRising:
      return "loss_rising";
    case Reason::kLossAboveLnK:
      return "loss_above_ln_k";
    case Reason::kGradientExploding:
      break;
  }
  return "gradient_exploding";
}

Health health_from(std::string_view verdict, std::string_view reason) {
  if (verdict == "stuck") {
    return {Verdict::kWarming, Reason::kLossAtLnK};
  }
  Health health;
  for (const Verdict known : kVerdicts) {
    if (verdict == to_string(known)) {
      health.verdict = known;
    }
  }
  if (health.verdict == Verdict::kHealthy) {
    health.reason = Reason::kLearning;
  } else if (health.verdict == Verdict::kCollapsing) {
    health.reason = Reason::kFewPrototypes;
  } else if (health.verdict == Verdict::kDiverging) {
    health.reason = Reason::kLossRising;
  }
  for (const Reason known : kReasons) {
    if (reason == to_string(known)) {
      health.reason = known;
    }
  }
  return health;
}

bool loss_is_lost(
    const HealthOptions& options,
    double loss,
    double best_loss,
    double ln_k) {
  return at_ln_k(options, loss, ln_k) ||
         loss - best_loss > options.lost_share * (ln_k - best_loss);
}

bool loss_is_above(const HealthOptions& options, double loss, double ln_k) {
  return loss > (1.0 + options.above_margin) * ln_k;
}

Health judge(const HealthOptions& options, const HealthInput& input) {
  if (input.use.images < kImagesPerPrototype * input.prototypes) {
    return input.before;  // a window just begun says nothing about use
  }
  const bool past_its_time = input.images >= options.settled_after_images;
  const bool settled =
      past_its_time || input.before.verdict != Verdict::kWarming;
  const auto collapse = sign_of_collapse(options, input);
  if (settled && collapse) {
    return {Verdict::kCollapsing, *collapse};
  }
  const auto divergence = sign_of_divergence(options, input);
  if (settled && divergence) {
    return {Verdict::kDiverging, *divergence};
  }
  if (!collapse && !at_ln_k(options, input.loss, input.ln_k)) {
    return {Verdict::kHealthy, Reason::kLearning};
  }
  if (input.before.verdict == Verdict::kHealthy &&
      input.lost_images < options.diverging_after_images) {
    return input.before;
  }
  return {
      Verdict::kWarming,
      past_its_time ? Reason::kLossAtLnK : Reason::kTooEarly};
}

}  // namespace swavd::scheduler
