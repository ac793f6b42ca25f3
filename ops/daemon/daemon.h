#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dedup_free_loader/batch.h"
#include "ops/base/result.h"
#include "ops/daemon/control.h"
#include "ops/service/config.h"
#include "trainer/device.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

/// The version this build calls itself.
[[nodiscard]] std::string_view version();

/// The trainer a config asks for. Errors: those of `make_torch_trainer`.
[[nodiscard]] Result<std::unique_ptr<trainer::Trainer>> make_trainer(
    const service::Config& config);

/// What `make_trainer` computes on here. Errors: kUnavailable, the device that
/// the config names cannot be had.
[[nodiscard]] Result<trainer::ComputeDevice> find_device(
    const service::Config& config);

/// A trainer and what it computes on.
struct PlacedTrainer {
  std::unique_ptr<trainer::Trainer> trainer;
  trainer::ComputeDevice device;
};

/// `find_device` and `make_trainer`; tells the log of the device. Errors: of
/// both.
[[nodiscard]] Result<PlacedTrainer> place_trainer(
    const service::Config& config);

/// What a person watching sees of a running daemon.
struct Progress {
  std::string state;
  std::uint64_t step = 0;
  std::uint64_t images = 0;  ///< along the lineage
  double images_per_second = 0;
  double loss = 0;  ///< nats, smoothed
  double ln_k = 0;
  std::int64_t prototypes_used = 0;
  std::int64_t prototypes = 0;
  double learning_rate = 0;
  std::string snapshot_id;  ///< newest durable one
  int http_port = 0;        ///< 0: no page
};

struct DaemonOptions {
  /// Drains after so many images trained by this process; 0: never.
  std::uint64_t stop_after_images = 0;
  /// Takes the run from an owner that may be alive; it is fenced then.
  bool take_over = false;
  /// Starts over at step 0: the snapshots there are leave the run's line.
  bool new_run = false;
  /// Handles SIGTERM, SIGINT and SIGHUP; off inside tests and the demo, which
  /// own the signals themselves.
  bool handle_signals = true;
  /// Reads the configuration anew for a reload. May be empty.
  std::function<service::LoadedConfig()> reload;
  /// Called about once a second from a thread of its own. May be empty.
  std::function<void(const Progress&)> on_progress;
  /// Called after restore, before the first step. May be empty.
  std::function<Status(trainer::Trainer&)> before_training;
  /// Called with the id of the newest snapshot once drained. May be empty.
  std::function<void(const std::string& snapshot_id)> on_drained;
  /// Called after the loop has drained; the trainer is at its last step.
  std::function<Status(trainer::Trainer&)> after_training;
};

/// Runs the trainer daemon until it is drained: `swavd run`. `control` may be
/// used from other threads meanwhile.
/// Errors: as in ops/docs/architecture.md; `exit_code` gives the status.
[[nodiscard]] Status run_daemon(
    const service::Config& config,
    const DaemonOptions& options,
    Control& control);

}  // namespace swavd::daemon
