#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "ingest/streams.h"
#include "ops/base/log.h"
#include "ops/base/sha256.h"
#include "ops/daemon/options.h"
#include "ops/daemon/running_daemon.h"
#include "ops/daemon/schedule_text.h"
#include "ops/service/log_config.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using std::chrono::milliseconds;
using std::chrono::seconds;

}  // namespace

Status RunningDaemon::train() {
  tell_schedule();
  prober_ = start_prober();
  keeper_ = std::make_unique<SnapshotKeeper>(
      clock_,
      registry_,
      *tiers_.local,
      stream_.dead_letters.get(),
      tiers_.remote.get(),
      keeper_options(),
      [this](const DurableSnapshot& snapshot) {
        board_->snapshot_durable(
            {snapshot.id, snapshot.step, snapshot.created_ms},
            snapshot.positions);
        stream_.source->publish_progress(snapshot.positions);
        lease_keeper_->committed(snapshot.id, snapshot.commit);
        if (prober_) {
          prober_->committed(snapshot.id, snapshot.commit, snapshot.step);
        }
      });
  const auto lag = watch_lag();
  std::unique_ptr<Ticker> ticker;
  if (options_.on_progress) {
    ticker = std::make_unique<Ticker>(
        "progress", seconds(1), [this] { options_.on_progress(progress()); });
  }
  const auto loader =
      start_run_loader(config_, stream_, run_, trainer_->allocator());
  manager_.ready("training");
  board_->set_state(service::State::kTraining);
  TrainingLoop loop(
      {clock_,
       registry_,
       control_,
       *board_,
       manager_,
       *loader,
       *trainer_,
       *keeper_,
       lease_keeper_.get(),
       stream_.dead_letters.get(),
       [this] { return reload(); },
       {}},
      loop_options(),
      std::move(run_));
  const Status status = loop.run();
  // What is not uploaded by now waits for the next start; giving the run back
  // is not worth more than this to whoever waits for the process.
  constexpr milliseconds kLastWords{20'000};
  patience_.end_in(kLastWords);
  loader->close();
  stream_.source->close();
  if (prober_) {
    prober_->stop();
  }
  return status;
}

void RunningDaemon::tell_schedule() const {
  const scheduler::ScheduleOptions options = schedule_options(config_);
  const std::int64_t batch = config_.loader.batch_images;
  log(LogLevel::kInfo,
      "schedule",
      fmt::format(
          "{}; the rate is {:g} now",
          schedule_text(options, batch),
          scheduler::learning_rate(options, run_.schedule)),
      {{"images", std::to_string(run_.schedule.images)},
       {"halvings", std::to_string(run_.schedule.halvings)}});
  for (const std::string& warning : schedule_warnings(options, batch)) {
    log(LogLevel::kWarning, "schedule", warning);
  }
}

std::unique_ptr<Prober> RunningDaemon::start_prober() {
  if (config_.probe.train.empty()) {
    return nullptr;
  }
  return std::make_unique<Prober>(
      clock_,
      registry_,
      prober_options(config_),
      [this](const ProbeFigures& figures) { board_->probed(figures); });
}

LoopOptions RunningDaemon::loop_options() const {
  LoopOptions options;
  options.schedule = schedule_options(config_);
  options.health = health_options(config_);
  options.cadence = cadence_options(config_);
  options.max_skipped_steps = config_.optimizer.max_skipped_steps;
  options.embedding_dim = config_.model.head_out;
  options.run = config_.run;
  options.generation = owned_.generation;
  options.stream_id = stream_.id;
  options.order = config_.loader.order;
  options.lineage_toml = config_.lineage_toml;
  options.config_sha256 = sha256_hex(as_bytes(config_.lineage_toml));
  options.stop_after_images = options_.stop_after_images;
  return options;
}

KeeperOptions RunningDaemon::keeper_options() const {
  KeeperOptions options;
  options.retention = retention_options(config_);
  options.write_rate = config_.snapshot.write_rate;
  options.run = config_.run;
  options.local_folder = local_folder(config_);
  options.upload_every = config_.object_store.every;
  options.remote_retention = remote_retention_options(config_);
  options.max_pending = config_.object_store.max_pending;
  options.pending = pending();
  options.next_commit = run_.commit + 1;
  options.parent = run_.snapshot_id;
  options.may_commit = [this] { return lease_keeper_->confirm(); };
  return options;
}

std::vector<std::string> RunningDaemon::pending() const {
  if (tiers_.remote == nullptr) {
    return {};
  }
  auto ids = pending_uploads(
      *tiers_.local,
      *tiers_.remote,
      config_.object_store.every,
      config_.object_store.max_pending);
  if (!ids.ok()) {
    log(LogLevel::kWarning,
        to_string(ids.error().code),
        "what waited for its upload before the restart is not uploaded: " +
            ids.error().message);
    return {};
  }
  if (!ids.value().empty()) {
    log(LogLevel::kInfo,
        "uploads_resumed",
        fmt::format(
            "{} snapshots waited for their upload before the restart",
            ids.value().size()));
  }
  return std::move(ids).value();
}

std::unique_ptr<Ticker> RunningDaemon::watch_lag() {
  auto url = ingest::parse_stream_url(config_.stream.url);
  if (!url.ok()) {
    return nullptr;
  }
  ingest::SourceOptions options;
  options.run = config_.run + ".lag";
  options.client = config_.stream.client;
  auto source = ingest::open_source(url.value(), options);
  if (!source.ok()) {
    log(LogLevel::kWarning,
        to_string(source.error().code),
        "the lag will not be shown: " + source.error().message);
    return nullptr;
  }
  constexpr milliseconds kPeriod{5000};
  return std::make_unique<Ticker>(
      "lag",
      kPeriod,
      [this,
       watched = std::shared_ptr<ingest::Source>(std::move(source).value()),
       known = stream_.partitions.size()]() mutable {
        const auto bounds = watched->bounds();
        if (!bounds.ok()) {
          return;
        }
        board_->bounds(bounds.value());
        if (bounds.value().size() > known) {
          tell_of_partitions(known, bounds.value().size());
          known = bounds.value().size();
        }
      });
}

void RunningDaemon::tell_of_partitions(std::size_t before, std::size_t now) {
  constexpr const char* kReason = "partitions_added";
  registry_.add(Id::kStreamErrors, 1, {kReason});
  log(LogLevel::kWarning,
      kReason,
      "the stream has more partitions than this process reads: restart it, and "
      "the new ones are read from their first record",
      {{"before", std::to_string(before)}, {"now", std::to_string(now)}});
}

std::optional<scheduler::CadenceOptions> RunningDaemon::reload() {
  if (!options_.reload) {
    return std::nullopt;
  }
  const service::LoadedConfig loaded = options_.reload();
  if (!loaded.mistakes.empty()) {
    log(LogLevel::kError,
        "config",
        "reload refused, nothing changed: " +
            service::format_mistakes(loaded.mistakes));
    return std::nullopt;
  }
  service::apply_log_config(loaded.config);
  keeper_->set_retention(
      retention_options(loaded.config),
      remote_retention_options(loaded.config));
  keeper_->set_write_rate(loaded.config.snapshot.write_rate);
  log(LogLevel::kInfo,
      "reloaded",
      "log and snapshot settings are new; other keys need a restart");
  return cadence_options(loaded.config);
}

}  // namespace swavd::daemon
