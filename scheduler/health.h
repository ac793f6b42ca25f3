#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace swavd::scheduler {

/// How the prototypes were used by the last images.
struct PrototypeUse {
  std::int64_t used = 0;    ///< chosen by at least one image
  double perplexity = 0;    ///< exp(entropy of the choices), 1 … K
  std::int64_t images = 0;  ///< in the window
};

/// Counts which prototype each of the last `window` images chose.
/// Not thread-safe.
class PrototypeWindow {
 public:
  /// `prototypes`: K, at least 1. `window`: images, at least 1.
  PrototypeWindow(std::int64_t prototypes, std::int64_t window);

  /// Adds the choices of a batch; each in [0, K).
  void add(const std::vector<std::int32_t>& choices);

  [[nodiscard]] PrototypeUse use() const;

 private:
  std::vector<std::int64_t> counts_;
  std::vector<std::int32_t> ring_;
  std::size_t next_ = 0;
  std::size_t filled_ = 0;
};

/// Verdicts on a run, told without labels.
enum class Verdict {
  kStarting,    ///< too early to tell
  kHealthy,     ///< the loss has left ln K and prototypes are in use
  kStuck,       ///< the loss stays within 1 % of ln K
  kCollapsing,  ///< was healthy; now few prototypes or one point remain
};

[[nodiscard]] std::string_view to_string(Verdict verdict);

struct HealthOptions {
  double stuck_margin = 0.01;  ///< relative distance from ln K
  std::uint64_t stuck_after_images = 25'600;
  double collapse_perplexity = 0.05;  ///< share of K
  double collapse_std = 0.1;          ///< share of 1/sqrt(dim)
};

/// What a verdict is made of.
struct HealthInput {
  std::uint64_t images = 0;  ///< trained along the lineage
  double smoothed_loss = 0;  ///< nats
  double ln_k = 0;
  PrototypeUse use;
  std::int64_t prototypes = 0;
  double feature_std = 0;  ///< mean per dimension, of unit vectors
  std::int64_t feature_dim = 0;
  Verdict before = Verdict::kStarting;
};

/// The verdict after a step. Collapse is only called on a run that was
/// healthy: an untrained one uses few prototypes too. A window of fewer than
/// two images per prototype leaves the verdict as it was.
[[nodiscard]] Verdict judge(
    const HealthOptions& options,
    const HealthInput& input);

}  // namespace swavd::scheduler
