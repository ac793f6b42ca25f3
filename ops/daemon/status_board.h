#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ingest/position.h"
#include "ingest/source.h"
#include "metrics/registry.h"
#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/daemon/lease_figures.h"
#include "ops/daemon/probe_figures.h"
#include "ops/service/lifecycle.h"
#include "scheduler/health_monitor.h"
#include "scheduler/learning_rate.h"

namespace swavd::daemon {

/// The numbers of one step that people look at.
struct StepFigures {
  std::uint64_t step = 0;
  std::uint64_t images = 0;  ///< trained along the lineage
  std::int32_t batch_images = 0;
  double loss = 0;           ///< nats
  double smoothed_loss = 0;  ///< nats
  double learning_rate = 0;
  scheduler::HealthFigures health;
  scheduler::ScheduleState schedule;
};

/// What a durable snapshot looks like on the page.
struct SnapshotFigures {
  std::string id;
  std::uint64_t step = 0;
  std::int64_t created_ms = 0;
};

/// What `/status`, the page and the demo's progress line show; the part of it
/// that is a number goes to the metrics at the same time. Thread-safe.
class StatusBoard {
 public:
  StatusBoard(
      const Clock& clock,
      metrics::Registry& registry,
      std::string run,
      std::string config_sha256,
      std::int64_t prototypes,
      double ln_k);

  void set_state(service::State state, const std::string& why = "");
  [[nodiscard]] service::State state() const;
  void set_generation(std::uint64_t generation);
  void set_lease(const LeaseFigures& lease);
  /// What steps are computed on, for people.
  void set_device(const std::string& device);
  /// Without it /status has no `schedule`.
  void set_schedule(const scheduler::ScheduleOptions& schedule);

  /// K of each set of prototypes; without it /status lists none.
  void set_prototype_sets(std::vector<std::int64_t> sets);

  /// Where the run continues: shown until the first step of this process.
  void restored(const StepFigures& figures);
  /// The schedule is another one now, without a step.
  void rescheduled(const scheduler::ScheduleState& schedule);
  void stepped(const StepFigures& figures);
  void rejected(const std::string& reason);
  void positions(const std::vector<ingest::Position>& positions);
  /// What the loader holds to be mixed.
  void shuffle_window(std::uint64_t records, std::uint64_t bytes);
  void bounds(const std::vector<ingest::PartitionBounds>& bounds);
  void snapshot_durable(
      const SnapshotFigures& snapshot,
      const std::vector<ingest::Position>& positions);

  void probed(const ProbeFigures& figures);

  [[nodiscard]] StepFigures figures() const;
  [[nodiscard]] SnapshotFigures last_snapshot() const;

  /// Images per second over the last half minute, 0 before two steps.
  [[nodiscard]] double images_per_second() const;

  /// Sets the metrics that change while nothing happens.
  void refresh_gauges() const;

  /// The body of /status.
  [[nodiscard]] std::string json() const;

 private:
  struct Partition {
    std::int64_t next = -1;
    std::int64_t above = 0;  ///< consumed above `next`
    std::int64_t end = -1;
    std::int64_t snapshot = -1;
    std::int64_t trained_ms = -1;
    std::uint64_t skipped = 0;

    [[nodiscard]] std::int64_t lag() const {
      return std::max<std::int64_t>(end - next - above, 0);
    }
  };

  /// A lease that is held and old is overdue.
  [[nodiscard]] LeaseState lease_state() const SWAVD_REQUIRES(mutex_);
  [[nodiscard]] double rate() const SWAVD_REQUIRES(mutex_);
  void show_lag(std::int32_t number, const Partition& partition)
      SWAVD_REQUIRES(mutex_);
  void remember_loss(const StepFigures& figures) SWAVD_REQUIRES(mutex_);
  /// Sets the metrics of `figures_`.
  void show_figures() const SWAVD_REQUIRES(mutex_);

  const Clock& clock_;
  metrics::Registry& registry_;
  const std::string run_;
  const std::string config_sha256_;
  const std::int64_t prototypes_;
  const double ln_k_;
  const std::chrono::steady_clock::time_point started_;

  mutable Mutex mutex_;
  service::State state_ SWAVD_GUARDED_BY(mutex_) = service::State::kStarting;
  std::string why_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t generation_ SWAVD_GUARDED_BY(mutex_) = 0;
  LeaseFigures lease_ SWAVD_GUARDED_BY(mutex_);
  std::string device_ SWAVD_GUARDED_BY(mutex_);
  StepFigures figures_ SWAVD_GUARDED_BY(mutex_);
  std::optional<scheduler::ScheduleOptions> schedule_ SWAVD_GUARDED_BY(mutex_);
  std::vector<std::int64_t> prototype_sets_ SWAVD_GUARDED_BY(mutex_);
  SnapshotFigures snapshot_ SWAVD_GUARDED_BY(mutex_);
  std::optional<ProbeFigures> probe_ SWAVD_GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> rejected_ SWAVD_GUARDED_BY(mutex_);
  std::map<std::int32_t, Partition> partitions_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t held_records_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::uint64_t held_bytes_ SWAVD_GUARDED_BY(mutex_) = 0;
  /// (time, images trained by then), oldest first.
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::uint64_t>>
      recent_ SWAVD_GUARDED_BY(mutex_);
  /// (images, smoothed loss), thinned so that it never grows past a page.
  std::vector<std::pair<std::uint64_t, double>> history_
      SWAVD_GUARDED_BY(mutex_);
  std::uint64_t history_stride_ SWAVD_GUARDED_BY(mutex_) = 1;
};

}  // namespace swavd::daemon
