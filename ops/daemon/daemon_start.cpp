#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "ops/base/log.h"
#include "ops/base/sha256.h"
#include "ops/daemon/init_from.h"
#include "ops/daemon/options.h"
#include "ops/daemon/running_daemon.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

Result<std::unique_ptr<state::SnapshotStore>>
RunningDaemon::open_local_when_free() {
  const auto begun = clock_.steady();
  while (true) {
    auto local = open_local(config_);
    if (local.ok() || local.error().code != ErrorCode::kUnavailable) {
      return local;
    }
    if (clock_.steady() - begun >= milliseconds(config_.lease.expiry_ms)) {
      return Error{
          ErrorCode::kFenced,
          fmt::format(
              "run {} has another owner: {}; stop that process (a lock cannot "
              "be taken over)",
              config_.run,
              local.error().message)};
    }
    log(LogLevel::kWarning,
        to_string(local.error().code),
        "waiting for the data folder: " + local.error().message);
    if (!wait(milliseconds(config_.lease.heartbeat_ms))) {
      return Error{
          ErrorCode::kCancelled, "told to end while waiting for the run"};
    }
  }
}

Status RunningDaemon::open() {
  auto local = open_local_when_free();
  if (!local.ok()) {
    return local.error();
  }
  tiers_.local = std::move(local).value();
  SWAVD_RETURN_IF_ERROR(open_remote(config_, registry_, patience_, tiers_));
  auto placed = place_trainer(config_);
  if (!placed.ok()) {
    return placed.error();
  }
  trainer_ = std::move(placed.value().trainer);
  const trainer::ComputeDevice& device = placed.value().device;
  board_ = std::make_unique<StatusBoard>(
      clock_,
      registry_,
      config_.run,
      sha256_hex(as_bytes(config_.lineage_toml)),
      trainer_->prototypes(),
      trainer_->ln_k());
  board_->set_schedule(schedule_options(config_));
  board_->set_device(to_string(device));
  if (trainer_->prototypes() > 0) {
    board_->set_prototype_sets(config_.swav.prototypes);
  }
  registry_.set(Id::kBuildInfo, 1, {version(), config_.model.trainer});
  registry_.set(Id::kComputeDevice, 1, {device.name});
  return ok_status();
}

bool RunningDaemon::wait(milliseconds pause) {
  control_.wait(pause);
  const Control::Wishes wishes = control_.peek();
  return !wishes.drain && !wishes.quit;
}

Status RunningDaemon::own() {
  auto floor = highest_generation(*tiers_.local, tiers_.remote.get());
  if (!floor.ok()) {
    return floor.error();
  }
  state::LeaseOptions options;
  options.run = config_.run;
  options.object_store = config_.object_store.url;
  options.me = state::this_process();
  options.expiry = milliseconds(config_.lease.expiry_ms);
  options.look_every = milliseconds(config_.lease.heartbeat_ms);
  options.take_over = options_.take_over;
  lease_ = std::make_unique<state::RunLease>(
      tiers_.local.get(), tiers_.objects.get(), clock_, options);
  std::optional<state::Rollback> bend;
  if (options_.new_run) {
    bend.emplace();
    log(LogLevel::kWarning,
        "new_run",
        "told to start over at step 0: the snapshots there are stay readable, "
        "but are off the run's line");
  }
  manager_.extend_timeout(3 * options.expiry);
  auto record = lease_->claim(floor.value(), bend, [this](milliseconds pause) {
    board_->set_state(
        service::State::kStarting,
        "watching whether the owner of the run is alive");
    return wait(pause);
  });
  if (!record.ok()) {
    return record.error();
  }
  owned_ = std::move(record).value();
  board_->set_generation(owned_.generation);
  log(LogLevel::kInfo,
      "run_owned",
      fmt::format("run {} is owned by this process", config_.run),
      {{"generation", std::to_string(owned_.generation)}});
  lease_keeper_ = std::make_unique<LeaseKeeper>(
      clock_,
      registry_,
      *board_,
      *lease_,
      LeaseKeeperOptions{
          .heartbeat = options.look_every,
          .expiry = options.expiry,
          .remote = tiers_.objects != nullptr});
  return ok_status();
}

Status RunningDaemon::restore() {
  board_->set_state(service::State::kRestoring);
  constexpr seconds kMore{300};
  manager_.extend_timeout(kMore);
  const auto start = clock_.steady();
  auto run = restore_run(
      *tiers_.local,
      tiers_.remote.get(),
      owned_,
      config_.lineage_toml,
      *trainer_,
      registry_);
  if (!run.ok()) {
    return run.error();
  }
  run_ = std::move(run).value();
  SWAVD_RETURN_IF_ERROR(begin());
  registry_.set(
      Id::kRestoreDuration,
      std::chrono::duration<double>(clock_.steady() - start).count());
  auto stream = open_run_stream(config_, registry_);
  if (!stream.ok()) {
    return stream.error();
  }
  stream_ = std::move(stream).value();
  SWAVD_RETURN_IF_ERROR(assign_stream(config_, stream_, run_));
  const auto positions = run_.progress.positions();
  board_->positions(positions);
  // Also on a new run: writers measure how far ahead they are from here.
  stream_.source->publish_progress(positions);
  if (!run_.snapshot_id.empty()) {
    show_restored(positions);
    log(LogLevel::kInfo,
        "restored",
        fmt::format("continuing from snapshot {}", run_.snapshot_id),
        {{"generation", std::to_string(owned_.generation)}});
  }
  return ok_status();
}

Status RunningDaemon::begin() {
  if (!run_.snapshot_id.empty()) {
    if (!config_.model.init_from.empty()) {
      log(LogLevel::kInfo,
          "init_from_unused",
          "model.init_from is for a new run; this one goes on from its "
          "snapshot");
    }
    return ok_status();
  }
  auto origin = begin_with_given_weights(config_, *trainer_);
  if (!origin.ok()) {
    return origin.error();
  }
  run_.origin_json = std::move(origin).value();
  return ok_status();
}

void RunningDaemon::show_restored(
    const std::vector<ingest::Position>& positions) {
  board_->snapshot_durable(
      {run_.snapshot_id, run_.step, run_.created_ms}, positions);
  StepFigures figures;
  figures.step = run_.step;
  for (const ingest::Position& position : positions) {
    figures.images += position.trained;
  }
  figures.smoothed_loss = run_.schedule.smoothed_loss;
  figures.learning_rate =
      scheduler::learning_rate(schedule_options(config_), run_.schedule);
  figures.health = run_.health.figures;
  figures.schedule = run_.schedule;
  board_->restored(figures);
}

}  // namespace swavd::daemon
