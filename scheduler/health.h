#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "scheduler/prototype_window.h"

namespace swavd::scheduler {

/// Verdicts on a run, told without labels.
enum class Verdict {
  kWarming,     ///< nothing is learnt yet
  kHealthy,     ///< the loss has left ln K and prototypes are in use
  kCollapsing,  ///< the features tell images apart no longer, or never did
  kDiverging,   ///< what was learnt is being lost
};

inline constexpr std::array kVerdicts = {
    Verdict::kWarming,
    Verdict::kHealthy,
    Verdict::kCollapsing,
    Verdict::kDiverging};

/// Why a verdict is what it is.
enum class Reason {
  kTooEarly,           ///< warming, and not for long yet
  kLossAtLnK,          ///< warming past its time: within 1 % of ln K
  kLearning,           ///< healthy
  kFewPrototypes,      ///< collapsing: all images choose the same few
  kOnePoint,           ///< collapsing: all embeddings are nearly equal
  kLowRank,            ///< collapsing: they lie along a few directions
  kLossRising,         ///< diverging: half of what was learnt is lost
  kLossAboveLnK,       ///< diverging: worse than knowing nothing
  kGradientExploding,  ///< diverging: far above what it was
};

/// A verdict with its reason: what metrics, status and manifest tell.
struct Health {
  Verdict verdict = Verdict::kWarming;
  Reason reason = Reason::kTooEarly;

  friend bool operator==(const Health&, const Health&) = default;
};

[[nodiscard]] std::string_view to_string(Verdict verdict);
[[nodiscard]] std::string_view to_string(Reason reason);

/// Reads the words of a manifest. `reason` is empty in old ones, whose verdicts
/// `starting` and `stuck` are reasons for `warming` now. Words it does not know
/// make a run that is too early to tell.
[[nodiscard]] Health health_from(
    std::string_view verdict,
    std::string_view reason);

/// Thresholds; how they were chosen stands in ops/docs/health.md.
struct HealthOptions {
  double ln_k_margin = 0.01;  ///< relative distance from ln K
  /// From here on a run that has learnt nothing is told so.
  std::uint64_t settled_after_images = 25'600;
  double collapse_perplexity = 0.05;  ///< share of K
  double collapse_std = 0.1;          ///< share of 1/sqrt(dim)
  double collapse_rank = 0.02;        ///< share of the embedding's dimension
  double lost_share = 0.5;            ///< of what the loss had gained on ln K
  double above_margin = 0.02;         ///< relative, above ln K
  double gradient_factor = 30;        ///< above its own long mean
  /// A loss that rises is told when it has stayed up for so long.
  std::uint64_t diverging_after_images = 6'400;
};

/// What a verdict is made of.
struct HealthInput {
  std::uint64_t images = 0;  ///< trained along the lineage
  double loss = 0;           ///< nats, smoothed
  double best_loss = 0;      ///< the lowest it was
  double ln_k = 0;
  PrototypeUse use;
  std::int64_t prototypes = 0;
  double feature_std = 0;  ///< mean per dimension, of unit vectors
  std::int64_t feature_dim = 0;
  double rank = 0;                 ///< RankMe; 0: not known yet
  double gradient_ratio = 1;       ///< its mean now to its long mean
  std::uint64_t lost_images = 0;   ///< for how long the loss has been lost
  std::uint64_t above_images = 0;  ///< for how long above ln K
  Health before;
};

/// Is `loss` so high that what was learnt (`best_loss`) counts as lost?
[[nodiscard]] bool loss_is_lost(
    const HealthOptions& options,
    double loss,
    double best_loss,
    double ln_k);

/// Is `loss` clearly worse than that of a model that knows nothing?
[[nodiscard]] bool
loss_is_above(const HealthOptions& options, double loss, double ln_k);

/// The verdict after a step. A run that has just begun is not called
/// collapsing or diverging: an untrained one uses few prototypes too. A window
/// of fewer than two images per prototype leaves the verdict as it was.
[[nodiscard]] Health judge(
    const HealthOptions& options,
    const HealthInput& input);

}  // namespace swavd::scheduler
