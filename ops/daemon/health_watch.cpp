#include "ops/daemon/health_watch.h"

#include <cmath>

#include <fmt/format.h>

#include "ops/base/log.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using scheduler::Health;
using scheduler::Reason;
using scheduler::Verdict;

LogLevel level_of(const Health& health) {
  switch (health.verdict) {
    case Verdict::kCollapsing:
      return LogLevel::kError;
    case Verdict::kDiverging:
      return LogLevel::kWarning;
    case Verdict::kWarming:
    case Verdict::kHealthy:
      break;
  }
  return health.reason == Reason::kLossAtLnK ? LogLevel::kWarning
                                             : LogLevel::kInfo;
}

/// What an operator can do about it.
const char* advice(const Health& health) {
  if (health.reason == Reason::kLossAtLnK) {
    return "; nothing is learnt: lower swav.epsilon, freeze the prototypes "
           "longer or soften the crops";
  }
  if (health.verdict == Verdict::kDiverging) {
    return "; lower the rate (`swavctl schedule set-rate`) or go back to a "
           "healthy snapshot (`swavctl snapshots rollback`)";
  }
  return "";
}

}  // namespace

RunHealth run_health(const state::Health& health) {
  RunHealth run;
  run.figures.health = scheduler::health_from(health.verdict, health.reason);
  run.figures.loss = health.loss;
  run.figures.best_loss = health.best_loss;
  run.figures.feature_std = health.feature_std;
  run.figures.rank = health.rank_me;
  run.accepted = health.accepted;
  return run;
}

HealthWatch::HealthWatch(
    metrics::Registry& registry,
    const scheduler::HealthOptions& options,
    const trainer::Trainer& trainer,
    std::int64_t embedding_dim,
    const RunHealth& before)
    : registry_(registry),
      prototypes_(trainer.prototypes()),
      ln_k_(trainer.ln_k()),
      before_(before.figures),
      accepted_(before.accepted) {
  if (prototypes_ > 0) {
    monitor_.emplace(
        options, prototypes_, ln_k_, embedding_dim, before.figures);
  }
}

void HealthWatch::stepped(
    const trainer::StepReport& report,
    std::uint64_t images,
    std::uint64_t images_in_all) {
  if (!monitor_) {
    return;
  }
  const Health before = monitor_->figures().health;
  monitor_->observe(
      {images,
       report.loss,
       report.grad_norm,
       report.feature_std,
       report.top_prototypes,
       report.embeddings},
      images_in_all);
  const Health now = monitor_->figures().health;
  if (now.verdict != Verdict::kCollapsing) {
    accepted_ = false;
  }
  if (now != before) {
    tell();
  }
}

bool HealthWatch::waits_for_operator() const {
  return figures().health.verdict == Verdict::kCollapsing && !accepted_;
}

void HealthWatch::tell() const {
  const Health health = figures().health;
  const std::string_view verdict = to_string(health.verdict);
  registry_.add(
      Id::kHealthChanges, 1, {verdict, scheduler::to_string(health.reason)});
  log(level_of(health), verdict, text() + advice(health));
}

std::string HealthWatch::text() const {
  const scheduler::HealthFigures& now = figures();
  return fmt::format(
      "{}: loss {:.4f}, ln K {:.4f}, prototype perplexity {:.1f} of {}, "
      "feature std {:.4f}, RankMe {:.1f}",
      scheduler::to_string(now.health.reason),
      now.loss,
      ln_k_,
      now.use.perplexity,
      prototypes_,
      now.feature_std,
      now.rank);
}

state::Health HealthWatch::manifest(double loss) const {
  const scheduler::HealthFigures& now = figures();
  state::Health health;
  health.verdict = scheduler::to_string(now.health.verdict);
  health.loss = loss;
  health.ln_k = ln_k_;
  health.prototype_perplexity = now.use.perplexity;
  health.finite = std::isfinite(loss);
  health.reason = scheduler::to_string(now.health.reason);
  health.used_prototypes = now.use.used;
  health.best_loss = now.best_loss;
  health.feature_std = now.feature_std;
  health.rank_me = now.rank;
  health.accepted = accepted_;
  return health;
}

}  // namespace swavd::daemon
