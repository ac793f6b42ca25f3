#include "ops/daemon/daemon.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include "ingest/streams.h"
#include "metrics/registry.h"
#include "ops/base/clock.h"
#include "ops/base/files.h"
#include "ops/base/log.h"
#include "ops/base/sha256.h"
#include "ops/daemon/gallery.h"
#include "ops/daemon/init_from.h"
#include "ops/daemon/lease_keeper.h"
#include "ops/daemon/options.h"
#include "ops/daemon/prober.h"
#include "ops/daemon/restore.h"
#include "ops/daemon/schedule_text.h"
#include "ops/daemon/snapshot_keeper.h"
#include "ops/daemon/status_board.h"
#include "ops/daemon/stream_setup.h"
#include "ops/daemon/ticker.h"
#include "ops/daemon/training_loop.h"
#include "ops/service/http_server.h"
#include "ops/service/lifecycle.h"
#include "ops/service/log_config.h"
#include "ops/service/object_store.h"
#include "state/object_store.h"
#include "state/run_lease.h"
#include "state/snapshot_store.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// Where snapshots go: the local store, and the remote tier when configured.
struct Tiers {
  std::unique_ptr<state::SnapshotStore> local;
  std::unique_ptr<state::ObjectStore> objects;
  std::unique_ptr<state::RemoteRun> remote;
};

std::string local_folder(const service::Config& config) {
  return config.data_dir + "/snapshots";
}

Result<std::unique_ptr<state::SnapshotStore>> open_local(
    const service::Config& config) {
  SWAVD_RETURN_IF_ERROR(make_folders(config.data_dir));
  return state::open_local_store(
      {local_folder(config), config.snapshot.reserve_bytes});
}

/// How long the object store is waited for: as long as it takes, until the end
/// is told. Thread-safe.
class Patience {
 public:
  void end_in(milliseconds time) {
    end_ = (steady_clock::now() + time).time_since_epoch().count();
  }

  [[nodiscard]] bool ended() const {
    return steady_clock::now().time_since_epoch().count() > end_;
  }

 private:
  std::atomic<steady_clock::rep> end_{
      std::numeric_limits<steady_clock::rep>::max()};
};

/// `registry` and `patience` must outlive the tiers.
Status open_remote(
    const service::Config& config,
    metrics::Registry& registry,
    const Patience& patience,
    Tiers& tiers) {
  if (config.object_store.url.empty()) {
    return ok_status();
  }
  auto objects = service::open_object_store(
      config.object_store,
      [&registry](std::string_view reason) {
        registry.add(Id::kObjectStoreRetries, 1, {reason});
      },
      [&patience] { return patience.ended(); });
  if (!objects.ok()) {
    return objects.error();
  }
  tiers.objects = std::move(objects).value();
  tiers.remote = state::open_remote_run(*tiers.objects, config.run);
  return ok_status();
}

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

/// The daemon while it runs: owns every part, in the order of their lives.
class Daemon {
 public:
  Daemon(
      const service::Config& config,
      const DaemonOptions& options,
      Control& control)
      : config_(config),
        options_(options),
        control_(control) {}

  Status run();

 private:
  Status open();
  /// Watches another owner of the data folder for as long as one of the
  /// object store is watched.
  Result<std::unique_ptr<state::SnapshotStore>> open_local_when_free();
  Status own();
  /// False: told to end.
  bool wait(milliseconds pause);
  Status restore();
  /// Weights of `model.init_from`: for a new run only.
  Status begin();
  void show_restored(const std::vector<ingest::Position>& positions);
  Status serve();
  Status serve_admin();
  Status train();
  void tell_schedule() const;
  [[nodiscard]] LoopOptions loop_options() const;
  [[nodiscard]] KeeperOptions keeper_options() const;
  [[nodiscard]] std::unique_ptr<Prober> start_prober();
  /// Snapshots whose upload did not end before this start.
  [[nodiscard]] std::vector<std::string> pending() const;
  [[nodiscard]] service::HttpHandlers handlers();
  [[nodiscard]] service::HttpAnswer admin(
      const std::string& command,
      const std::string& argument);
  [[nodiscard]] bool ready(std::string* verbose) const;
  [[nodiscard]] std::optional<scheduler::CadenceOptions> reload();
  [[nodiscard]] Progress progress() const;
  void refresh_gauges();
  std::unique_ptr<Ticker> watch_lag();
  void tell_of_partitions(std::size_t before, std::size_t now);

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

Result<std::unique_ptr<state::SnapshotStore>> Daemon::open_local_when_free() {
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

Status Daemon::open() {
  auto local = open_local_when_free();
  if (!local.ok()) {
    return local.error();
  }
  tiers_.local = std::move(local).value();
  SWAVD_RETURN_IF_ERROR(open_remote(config_, registry_, patience_, tiers_));
  auto trainer = make_trainer(config_);
  if (!trainer.ok()) {
    return trainer.error();
  }
  trainer_ = std::move(trainer).value();
  board_ = std::make_unique<StatusBoard>(
      clock_,
      registry_,
      config_.run,
      sha256_hex(as_bytes(config_.lineage_toml)),
      trainer_->prototypes(),
      trainer_->ln_k());
  board_->set_schedule(schedule_options(config_));
  if (trainer_->prototypes() > 0) {
    board_->set_prototype_sets(config_.swav.prototypes);
  }
  registry_.set(Id::kBuildInfo, 1, {version(), config_.model.trainer});
  return ok_status();
}

bool Daemon::wait(milliseconds pause) {
  control_.wait(pause);
  const Control::Wishes wishes = control_.peek();
  return !wishes.drain && !wishes.quit;
}

Status Daemon::own() {
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

Status Daemon::restore() {
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

Status Daemon::begin() {
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

void Daemon::show_restored(const std::vector<ingest::Position>& positions) {
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

bool Daemon::ready(std::string* verbose) const {
  const service::State state = board_->state();
  const bool serving =
      state == service::State::kTraining || state == service::State::kPaused;
  *verbose = fmt::format(
      "[{}]state {}\n", serving ? '+' : '-', service::to_string(state));
  return serving;
}

service::HttpHandlers Daemon::handlers() {
  service::HttpHandlers handlers;
  handlers.live = [] { return true; };
  handlers.ready = [this](std::string* verbose) { return ready(verbose); };
  handlers.status_json = [this] { return board_->json(); };
  handlers.before_metrics = [this] { refresh_gauges(); };
  handlers.gallery_png = [this](std::size_t set) {
    return read_gallery(config_.data_dir, set);
  };
  return handlers;
}

void Daemon::refresh_gauges() {
  board_->refresh_gauges();
  for (const auto level :
       {LogLevel::kDebug,
        LogLevel::kInfo,
        LogLevel::kWarning,
        LogLevel::kError}) {
    constexpr std::array<std::string_view, 4> kNames = {
        "debug", "info", "warning", "error"};
    registry_.raise_to(
        Id::kLogMessages,
        static_cast<double>(log_lines(level)),
        {kNames[static_cast<std::size_t>(level)]});
  }
  registry_.raise_to(Id::kLogDropped, static_cast<double>(log_dropped()));
  if (const auto free = free_bytes(config_.data_dir); free.ok()) {
    registry_.set(
        Id::kStorageFree, static_cast<double>(free.value()), {"data_dir"});
  }
}

service::HttpAnswer Daemon::admin(
    const std::string& command,
    const std::string& argument) {
  const std::string type = "application/json";
  if (command == "status") {
    return {200, type, board_->json()};
  }
  if (command == "pause") {
    control_.pause();
  } else if (command == "resume") {
    control_.resume();
  } else if (command == "drain") {
    control_.drain();
  } else if (command == "snapshot") {
    control_.snapshot();
  } else if (command == "reload") {
    control_.reload();
  } else if (command == "set-rate") {
    const auto rate = parse_rate(argument);
    if (!rate.ok()) {
      return {400, "text/plain; charset=utf-8", rate.error().message};
    }
    control_.set_rate(rate.value());
  } else {
    return {404, "text/plain; charset=utf-8", "no such command: " + command};
  }
  return {202, type, R"({"accepted":true})"};
}

Status Daemon::serve() {
  if (!config_.http.listen.empty()) {
    auto page = service::start_http_server(
        config_.http.listen, service::HttpPages::kAll, handlers(), registry_);
    if (!page.ok()) {
      return page.error().with_context("[http] listen");
    }
    page_ = std::move(page).value();
  }
  if (!config_.metrics.listen.empty()) {
    auto probes = service::start_http_server(
        config_.metrics.listen,
        service::HttpPages::kProbesAndMetrics,
        handlers(),
        registry_);
    if (!probes.ok()) {
      return probes.error().with_context("[metrics] listen");
    }
    probes_ = std::move(probes).value();
  }
  return serve_admin();
}

Status Daemon::serve_admin() {
  auto socket = service::start_admin_socket(
      config_.admin.socket,
      [this](const std::string& command, const std::string& argument) {
        return admin(command, argument);
      });
  if (!socket.ok()) {
    return socket.error().with_context("[admin] socket");
  }
  admin_ = std::move(socket).value();
  return ok_status();
}

LoopOptions Daemon::loop_options() const {
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

std::vector<std::string> Daemon::pending() const {
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

KeeperOptions Daemon::keeper_options() const {
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

std::unique_ptr<Ticker> Daemon::watch_lag() {
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

void Daemon::tell_of_partitions(std::size_t before, std::size_t now) {
  constexpr const char* kReason = "partitions_added";
  registry_.add(Id::kStreamErrors, 1, {kReason});
  log(LogLevel::kWarning,
      kReason,
      "the stream has more partitions than this process reads: restart it, and "
      "the new ones are read from their first record",
      {{"before", std::to_string(before)}, {"now", std::to_string(now)}});
}

Progress Daemon::progress() const {
  const StepFigures figures = board_->figures();
  Progress progress;
  progress.state = service::to_string(board_->state());
  progress.step = figures.step;
  progress.images = figures.images;
  progress.images_per_second = board_->images_per_second();
  progress.loss = figures.smoothed_loss;
  progress.prototypes = trainer_->prototypes();
  progress.ln_k = trainer_->ln_k();
  progress.prototypes_used = figures.health.use.used;
  progress.learning_rate = figures.learning_rate;
  progress.snapshot_id = board_->last_snapshot().id;
  progress.http_port = page_ ? page_->port() : 0;
  return progress;
}

std::optional<scheduler::CadenceOptions> Daemon::reload() {
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

std::unique_ptr<Prober> Daemon::start_prober() {
  if (config_.probe.train.empty()) {
    return nullptr;
  }
  return std::make_unique<Prober>(
      clock_,
      registry_,
      prober_options(config_),
      [this](const ProbeFigures& figures) { board_->probed(figures); });
}

void Daemon::tell_schedule() const {
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

Status Daemon::train() {
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

Status Daemon::run() {
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

Result<std::unique_ptr<trainer::Trainer>> make_trainer(
    const service::Config& config) {
  if (config.model.trainer == "ledger") {
    return trainer::make_ledger_trainer();
  }
  return trainer::make_torch_trainer(trainer_options(config));
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
  Daemon daemon(config, options, control);
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
