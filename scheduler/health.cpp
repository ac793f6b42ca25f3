#include "scheduler/health.h"

#include <cmath>

namespace swavd::scheduler {

namespace {

/// Fewer images than this per prototype cannot show how many are in use.
constexpr std::int64_t kImagesPerPrototype = 2;

}  // namespace

PrototypeWindow::PrototypeWindow(std::int64_t prototypes, std::int64_t window)
    : counts_(static_cast<std::size_t>(prototypes), 0),
      ring_(static_cast<std::size_t>(window), 0) {}

void PrototypeWindow::add(const std::vector<std::int32_t>& choices) {
  for (const std::int32_t choice : choices) {
    if (filled_ == ring_.size()) {
      --counts_[static_cast<std::size_t>(ring_[next_])];
    } else {
      ++filled_;
    }
    ring_[next_] = choice;
    ++counts_[static_cast<std::size_t>(choice)];
    next_ = (next_ + 1) % ring_.size();
  }
}

PrototypeUse PrototypeWindow::use() const {
  PrototypeUse use;
  use.images = static_cast<std::int64_t>(filled_);
  double entropy = 0;
  for (const std::int64_t count : counts_) {
    if (count > 0) {
      ++use.used;
      const double share =
          static_cast<double>(count) / static_cast<double>(filled_);
      entropy -= share * std::log(share);
    }
  }
  use.perplexity = filled_ > 0 ? std::exp(entropy) : 0.0;
  return use;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kStarting:
      return "starting";
    case Verdict::kHealthy:
      return "healthy";
    case Verdict::kStuck:
      return "stuck";
    case Verdict::kCollapsing:
      break;
  }
  return "collapsing";
}

Verdict judge(const HealthOptions& options, const HealthInput& input) {
  if (input.use.images < kImagesPerPrototype * input.prototypes) {
    return input.before;  // a window just begun says nothing about use
  }
  const auto k = static_cast<double>(input.prototypes);
  const bool few_prototypes =
      input.use.perplexity < options.collapse_perplexity * k;
  const bool one_point =
      input.feature_dim > 0 &&
      input.feature_std < options.collapse_std /
                              std::sqrt(static_cast<double>(input.feature_dim));
  const bool was_healthy =
      input.before == Verdict::kHealthy || input.before == Verdict::kCollapsing;
  if (was_healthy && (few_prototypes || one_point)) {
    return Verdict::kCollapsing;
  }
  const bool at_ln_k =
      input.smoothed_loss > (1.0 - options.stuck_margin) * input.ln_k;
  if (!at_ln_k && !few_prototypes && !one_point) {
    return Verdict::kHealthy;
  }
  if (at_ln_k && input.images >= options.stuck_after_images) {
    return Verdict::kStuck;
  }
  return was_healthy ? Verdict::kHealthy : Verdict::kStarting;
}

}  // namespace swavd::scheduler
