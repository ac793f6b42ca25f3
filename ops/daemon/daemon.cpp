#include "ops/daemon/daemon.h"

#include <memory>

#include <fmt/format.h>
#include <sys/resource.h>

#include "ops/base/log.h"
#include "ops/daemon/options.h"
#include "ops/daemon/running_daemon.h"
#include "ops/service/lifecycle.h"

namespace swavd::daemon {

namespace {

/// Tables stay open, one for every snapshot; then threads, clients, broker
/// connections. Errors: kUnavailable.
Status need_descriptors() {
  constexpr rlim_t kLeast = 128;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < kLeast) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "this process may open {} files and needs at least {}: raise "
            "LimitNOFILE= of the unit or `ulimit -n`",
            limit.rlim_cur,
            kLeast)};
  }
  return ok_status();
}

/// A core file would hold every secret the process has read. The hard limit
/// stays: `prlimit --core` allows one while somebody looks for a bug.
void leave_no_core() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) == 0) {
    limit.rlim_cur = 0;
    (void)::setrlimit(RLIMIT_CORE, &limit);
  }
}

}  // namespace

Status RunningDaemon::run() {
  SWAVD_RETURN_IF_ERROR(open());
  SWAVD_RETURN_IF_ERROR(serve());
  SWAVD_RETURN_IF_ERROR(own());
  SWAVD_RETURN_IF_ERROR(restore());
  if (options_.before_training) {
    SWAVD_RETURN_IF_ERROR(options_.before_training(*trainer_));
  }
  SWAVD_RETURN_IF_ERROR(train());
  lease_keeper_->release();
  if (options_.on_drained) {
    options_.on_drained(board_->last_snapshot().id);
  }
  if (options_.after_training) {
    SWAVD_RETURN_IF_ERROR(options_.after_training(*trainer_));
  }
  return ok_status();
}

Result<trainer::ComputeDevice> find_device(const service::Config& config) {
  if (config.model.trainer == "ledger") {
    return trainer::ComputeDevice{};
  }
  auto device = trainer::choose_device(config.model.device);
  if (!device.ok()) {
    return device.error().with_context("model.device");
  }
  return device;
}

Result<std::unique_ptr<trainer::Trainer>> make_trainer(
    const service::Config& config) {
  if (config.model.trainer == "ledger") {
    return trainer::make_ledger_trainer();
  }
  return trainer::make_torch_trainer(trainer_options(config));
}

Result<PlacedTrainer> place_trainer(const service::Config& config) {
  auto device = find_device(config);
  if (!device.ok()) {
    return device.error();
  }
  // A plugin that is there was put there to be used.
  log(device.value().plugin_installed ? LogLevel::kWarning : LogLevel::kInfo,
      "device",
      "steps are computed on " + to_string(device.value()));
  auto trainer = make_trainer(config);
  if (!trainer.ok()) {
    return trainer.error();
  }
  return PlacedTrainer{std::move(trainer).value(), std::move(device).value()};
}

std::string_view version() {
  return SWAVD_VERSION;
}

Status run_daemon(
    const service::Config& config,
    const DaemonOptions& options,
    Control& control) {
  if (const auto enough = need_descriptors(); !enough.ok()) {
    log(LogLevel::kError, "unavailable", enough.error().message);
    return enough;
  }
  std::unique_ptr<service::Signals> signals;
  if (options.handle_signals) {
    leave_no_core();
    signals = std::make_unique<service::Signals>(
        [&control](service::Request request) {
          switch (request) {
            case service::Request::kDrain:
              control.drain();
              break;
            case service::Request::kQuit:
              control.quit();
              break;
            case service::Request::kReload:
              control.reload();
              break;
            case service::Request::kNone:
              break;
          }
        });
  }
  RunningDaemon daemon(config, options, control);
  const Status status = daemon.run();
  const bool told = control.peek().drain || control.peek().quit;
  if (!status.ok() && status.error().code == ErrorCode::kCancelled && told) {
    return ok_status();  // it owned nothing yet that could be left half done
  }
  if (!status.ok()) {
    log(LogLevel::kError,
        to_string(status.error().code),
        status.error().message);
  }
  return status;
}

}  // namespace swavd::daemon
