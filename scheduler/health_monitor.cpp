#include "scheduler/health_monitor.h"

#include <cmath>

namespace swavd::scheduler {

namespace {

/// Shorter windows show chance, longer ones are late.
constexpr std::int64_t kWindowPerPrototype = 10;
/// Steps over which the means reach; what counts is how often the model
/// changed, not how many images it took.
constexpr double kShortSteps = 25;
constexpr double kLongSteps = 1000;
/// A best loss is forgotten so slowly: a stream that has become harder is no
/// divergence for ever.
constexpr double kForgetSteps = 4000;
/// Weight from which on a mean is worth looking at: one time constant.
constexpr double kEnough = 0.63;

/// Adds a value to an exponential mean that began empty.
void blend(double& mean, double& weight, double value, double steps) {
  const double share = 1.0 / steps;
  const double before = mean * weight * (1.0 - share);
  weight = weight * (1.0 - share) + share;
  mean = (before + share * value) / weight;
}

}  // namespace

HealthMonitor::HealthMonitor(
    const HealthOptions& options,
    std::int64_t prototypes,
    double ln_k,
    std::int64_t dim,
    const HealthFigures& before)
    : options_(options),
      prototypes_(prototypes),
      dim_(dim),
      ln_k_(ln_k),
      window_(prototypes, kWindowPerPrototype * prototypes),
      embeddings_(dim),
      figures_(before) {
  figures_.use = {};
}

void HealthMonitor::watch_loss(const StepSigns& signs) {
  blend(figures_.loss, loss_weight_, signs.loss, kShortSteps);
  if (loss_weight_ < kEnough) {
    return;
  }
  double& best = figures_.best_loss;
  if (best == 0 || figures_.loss < best) {
    best = figures_.loss;
  } else {
    best += (figures_.loss - best) / kForgetSteps;
  }
  const bool lost = loss_is_lost(options_, figures_.loss, best, ln_k_);
  const bool above = loss_is_above(options_, figures_.loss, ln_k_);
  lost_images_ = lost ? lost_images_ + signs.images : 0;
  above_images_ = above ? above_images_ + signs.images : 0;
}

void HealthMonitor::watch_gradient(const StepSigns& signs) {
  if (signs.grad_norm <= 0) {
    return;
  }
  const double log_norm = std::log(signs.grad_norm);
  blend(fast_gradient_, fast_weight_, log_norm, kShortSteps);
  blend(slow_gradient_, slow_weight_, log_norm, kLongSteps);
  figures_.grad_norm = std::exp(fast_gradient_);
  if (slow_weight_ >= kEnough) {
    gradient_ratio_ = std::exp(fast_gradient_ - slow_gradient_);
  }
}

void HealthMonitor::observe(
    const StepSigns& signs,
    std::uint64_t images_in_all) {
  window_.add(signs.top_prototypes);
  embeddings_.add(signs.embeddings);
  if (embeddings_.renewed()) {
    figures_.rank = embeddings_.rank();
  }
  watch_loss(signs);
  watch_gradient(signs);
  figures_.use = window_.use();
  figures_.feature_std = signs.feature_std;
  HealthInput input;
  input.images = images_in_all;
  input.loss = figures_.loss;
  input.best_loss = figures_.best_loss;
  input.ln_k = ln_k_;
  input.use = figures_.use;
  input.prototypes = prototypes_;
  input.feature_std = signs.feature_std;
  input.feature_dim = dim_;
  input.rank = figures_.rank;
  input.gradient_ratio = gradient_ratio_;
  input.lost_images = lost_images_;
  input.above_images = above_images_;
  input.before = figures_.health;
  figures_.health = judge(options_, input);
}

}  // namespace swavd::scheduler
