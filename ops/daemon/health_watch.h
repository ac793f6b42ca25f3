#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "metrics/registry.h"
#include "scheduler/health_monitor.h"
#include "state/frozen_state.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

/// The health of a run as a snapshot carries it.
struct RunHealth {
  scheduler::HealthFigures figures;
  /// An operator has resumed training under the verdict `collapsing`.
  bool accepted = false;
};

/// Reads the `health` object of a manifest.
[[nodiscard]] RunHealth run_health(const state::Health& health);

/// Judges the steps of a run, and tells every change of the verdict: a line in
/// the log and a count under the same words. Not thread-safe.
class HealthWatch {
 public:
  /// A run of a trainer without prototypes is never judged.
  HealthWatch(
      metrics::Registry& registry,
      const scheduler::HealthOptions& options,
      const trainer::Trainer& trainer,
      std::int64_t embedding_dim,
      const RunHealth& before);

  /// A step has trained. `images_in_all`: along the lineage.
  void stepped(
      const trainer::StepReport& report,
      std::uint64_t images,
      std::uint64_t images_in_all);

  /// Is the run collapsing, and no operator has said to go on all the same?
  [[nodiscard]] bool waits_for_operator() const;

  /// An operator says so. Holds until the verdict is another one.
  void accept() { accepted_ = waits_for_operator() || accepted_; }

  [[nodiscard]] const scheduler::HealthFigures& figures() const {
    return monitor_ ? monitor_->figures() : before_;
  }

  /// "few_prototypes: loss 4.5, ln K 5.7, …", for people.
  [[nodiscard]] std::string text() const;

  /// The `health` object of a snapshot made now. `loss`: smoothed, nats.
  [[nodiscard]] state::Health manifest(double loss) const;

 private:
  void tell() const;

  metrics::Registry& registry_;
  const std::int64_t prototypes_;
  const double ln_k_;
  const scheduler::HealthFigures before_;
  std::optional<scheduler::HealthMonitor> monitor_;
  bool accepted_ = false;
};

}  // namespace swavd::daemon
