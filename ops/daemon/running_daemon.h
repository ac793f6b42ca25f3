#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "metrics/registry.h"
#include "ops/base/clock.h"
#include "ops/daemon/control.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/lease_keeper.h"
#include "ops/daemon/prober.h"
#include "ops/daemon/restore.h"
#include "ops/daemon/snapshot_keeper.h"
#include "ops/daemon/status_board.h"
#include "ops/daemon/stream_setup.h"
#include "ops/daemon/ticker.h"
#include "ops/daemon/tiers.h"
#include "ops/daemon/training_loop.h"
#include "ops/service/http_server.h"
#include "ops/service/lifecycle.h"
#include "state/run_lease.h"

namespace swavd::daemon {

/// The daemon while it runs: owns every part, in the order of their lives. How
/// it starts is in daemon_start.cpp, what it answers to others in
/// daemon_pages.cpp, and how it trains in daemon_training.cpp.
class RunningDaemon {
 public:
  RunningDaemon(
      const service::Config& config,
      const DaemonOptions& options,
      Control& control)
      : config_(config),
        options_(options),
        control_(control) {}

  /// `run_daemon`, but for signals and the process's limits.
  Status run();

 private:
  // Start: the parts, the run's ownership, where it goes on.
  Status open();
  /// Watches another owner of the data folder for as long as one of the
  /// object store is watched.
  Result<std::unique_ptr<state::SnapshotStore>> open_local_when_free();
  Status own();
  /// False: told to end.
  bool wait(std::chrono::milliseconds pause);
  Status restore();
  /// Weights of `model.init_from`: for a new run only.
  Status begin();
  void show_restored(const std::vector<ingest::Position>& positions);

  // Pages, probes and admin commands.
  Status serve();
  Status serve_admin();
  [[nodiscard]] service::HttpHandlers handlers();
  [[nodiscard]] bool ready(std::string* verbose) const;
  void refresh_gauges();
  [[nodiscard]] service::HttpAnswer admin(
      const std::string& command,
      const std::string& argument);
  [[nodiscard]] Progress progress() const;

  // Training.
  Status train();
  void tell_schedule() const;
  [[nodiscard]] std::unique_ptr<Prober> start_prober();
  [[nodiscard]] LoopOptions loop_options() const;
  [[nodiscard]] KeeperOptions keeper_options() const;
  /// Snapshots whose upload did not end before this start.
  [[nodiscard]] std::vector<std::string> pending() const;
  std::unique_ptr<Ticker> watch_lag();
  void tell_of_partitions(std::size_t before, std::size_t now);
  [[nodiscard]] std::optional<scheduler::CadenceOptions> reload();

  const service::Config config_;
  const DaemonOptions& options_;
  Control& control_;
  SystemClock clock_;
  metrics::Registry registry_;
  service::ServiceManager manager_;
  std::unique_ptr<StatusBoard> board_;
  std::unique_ptr<service::HttpServer> page_;
  std::unique_ptr<service::HttpServer> probes_;
  std::unique_ptr<service::HttpServer> admin_;
  Patience patience_;
  Tiers tiers_;
  std::unique_ptr<trainer::Trainer> trainer_;
  RunStream stream_;
  RunState run_;
  state::RunRecord owned_;  ///< the run's record as it was claimed
  std::unique_ptr<state::RunLease> lease_;
  std::unique_ptr<LeaseKeeper> lease_keeper_;
  std::unique_ptr<Prober> prober_;  ///< nullptr: no probes
  std::unique_ptr<SnapshotKeeper> keeper_;
};

}  // namespace swavd::daemon
