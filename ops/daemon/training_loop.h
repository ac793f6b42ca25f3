#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dedup_free_loader/loader.h"
#include "ingest/sink.h"
#include "metrics/registry.h"
#include "ops/base/clock.h"
#include "ops/daemon/control.h"
#include "ops/daemon/health_watch.h"
#include "ops/daemon/lease_keeper.h"
#include "ops/daemon/restore.h"
#include "ops/daemon/snapshot_taker.h"
#include "ops/daemon/status_board.h"
#include "ops/service/lifecycle.h"
#include "scheduler/health.h"
#include "scheduler/learning_rate.h"
#include "scheduler/snapshots.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

struct LoopOptions {
  scheduler::ScheduleOptions schedule;
  scheduler::CadenceOptions cadence;
  scheduler::HealthOptions health;
  std::int64_t max_skipped_steps = 10;
  std::int64_t embedding_dim = 0;
  std::string run = "main";
  std::uint64_t generation = 0;
  std::string stream_id;
  std::string order = "arrival";
  std::string lineage_toml;
  std::string config_sha256;
  /// Drains after so many images trained by this process; 0: never.
  std::uint64_t stop_after_images = 0;
};

/// What the loop works with; everything outlives it.
struct LoopParts {
  const Clock& clock;
  metrics::Registry& registry;
  Control& control;
  StatusBoard& board;
  const service::ServiceManager& manager;
  loader::Loader& loader;
  trainer::Trainer& trainer;
  SnapshotTaker& keeper;
  const LeaseKeeper* lease;    ///< nullptr: a branch, which owns nothing
  ingest::Sink* dead_letters;  ///< nullptr: off
  /// Reads the configuration anew (SIGHUP): gives the reloadable part.
  std::function<std::optional<scheduler::CadenceOptions>()> reload;
  /// Called after every step, for the demo's gallery. May be empty.
  std::function<void(const loader::Batch&, const trainer::StepReport&)> on_step;
};

/// The thread that drives the trainer: takes a batch, trains on it, consumes
/// its records, and freezes a snapshot when one is due. The position, the
/// schedule and the weights only ever change together, here.
class TrainingLoop {
 public:
  TrainingLoop(LoopParts parts, LoopOptions options, RunState run);

  /// Runs until drained or told to quit. Drained: the last step is in a
  /// durable snapshot. Errors: those of the loader that end it, kRestart (the
  /// drain could not be completed), a fatal error of the snapshot taker,
  /// kFenced.
  [[nodiscard]] Status run();

 private:
  [[nodiscard]] Status one_iteration(const Control::Wishes& wishes);
  /// The batch that was looked at before, or else the loader's next.
  [[nodiscard]] Result<loader::Next> next_batch();
  /// Tells a trainer that wants to know of `batch` and, if it waits, of the one
  /// behind it.
  void announce(const loader::Batch& batch);
  [[nodiscard]] Status handle(const loader::Batch& batch);
  /// Those that were not sent before their batch.
  [[nodiscard]] Status send_dead_letters(
      std::span<const loader::Rejected> all_rejected);
  void trained(
      const loader::Batch& batch,
      const trainer::StepReport& report,
      double rate);
  void skipped(const trainer::StepReport& report);
  void advance_schedule(double loss, std::uint64_t images);
  void set_rate(double rate);
  /// Training stops before the next batch; `reason` is a fixed word.
  void pause(std::string_view reason, const std::string& why);
  /// Looks in while training is paused.
  void hold();
  void go_on();
  void maybe_snapshot(bool asked);
  void freeze();
  [[nodiscard]] Status drain();
  void reload();

  LoopParts parts_;
  LoopOptions options_;
  RunState run_;
  HealthWatch health_;
  scheduler::CadenceState last_snapshot_;
  std::int32_t turn_ = 0;
  std::uint64_t images_here_ = 0;  ///< trained by this process
  std::int64_t skipped_in_a_row_ = 0;
  bool postponed_ = false;
  std::string pause_reason_;
  double data_wait_ = 0;  ///< seconds since the last batch
  /// Taken from the loader while the batch before it waited for its step. What
  /// is not trained is not consumed, so it may be dropped at any time.
  std::optional<Result<loader::Next>> ahead_;
};

}  // namespace swavd::daemon
