#include "ops/daemon/anneal.h"

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "metrics/registry.h"
#include "ops/base/clock.h"
#include "ops/base/log.h"
#include "ops/base/sha256.h"
#include "ops/daemon/branch_folder.h"
#include "ops/daemon/control.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/options.h"
#include "ops/daemon/restore.h"
#include "ops/daemon/status_board.h"
#include "ops/daemon/stream_setup.h"
#include "ops/daemon/ticker.h"
#include "ops/daemon/training_loop.h"
#include "ops/service/lifecycle.h"
#include "scheduler/anneal.h"
#include "state/snapshot_ref.h"

namespace swavd::daemon {

namespace {

constexpr const char* kKind = "anneal";

std::uint64_t whole_batches(std::uint64_t images, std::uint64_t batch) {
  return (images + batch - 1) / batch * batch;
}

Status check_config_fits(
    const state::SnapshotReader& snapshot,
    const service::Config& config) {
  const auto differing = service::lineage_differences(
      snapshot.manifest().config_toml, config.lineage_toml);
  if (differing.empty()) {
    return ok_status();
  }
  return Error{
      ErrorCode::kConfig,
      fmt::format(
          "snapshot {} was made with other values of: {}; a branch takes the "
          "configuration of its run",
          snapshot.id(),
          fmt::join(differing, ", "))};
}

/// The branch while it is trained: owns every part, in the order of their
/// lives.
class Branch {
 public:
  Branch(
      const service::Config& config,
      const AnnealOptions& options,
      Control& control)
      : config_(config),
        options_(options),
        control_(control) {}

  Result<AnnealReport> run();

 private:
  /// What is wrong with the command is told before anything costs time.
  Status check_command() const;
  Status restore();
  Status plan();
  Status train();
  [[nodiscard]] LoopOptions loop_options() const;
  [[nodiscard]] BranchMark mark() const;
  [[nodiscard]] AnnealProgress progress() const;
  [[nodiscard]] Status verdict_on(const Status& loop) const;
  [[nodiscard]] AnnealReport report() const;

  service::Config config_;
  const AnnealOptions& options_;
  Control& control_;
  SystemClock clock_;
  const std::chrono::steady_clock::time_point begun_ = clock_.steady();
  metrics::Registry registry_;
  service::ServiceManager manager_;
  std::unique_ptr<trainer::Trainer> trainer_;
  state::Manifest parent_;
  std::string parent_id_;
  RunState run_;
  RunStream stream_;
  scheduler::ScheduleOptions schedule_;
  std::uint64_t images_ = 0;  ///< to train on
  std::unique_ptr<StatusBoard> board_;
  bool paused_ = false;  ///< the loop's thread alone
};

Status Branch::check_command() const {
  if (options_.images == 0) {
    return Error{ErrorCode::kInvalidArgument, "--images must be at least 1"};
  }
  if (!std::isfinite(options_.end_rate) || options_.end_rate < 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("--end-rate {} is not a rate", options_.end_rate)};
  }
  return state::check_target_folder(options_.out);
}

Status Branch::restore() {
  auto opened = state::open_snapshot(options_.snapshot);
  if (!opened.ok()) {
    return opened.error();
  }
  state::SnapshotReader& snapshot = *opened.value().reader;
  SWAVD_RETURN_IF_ERROR(check_config_fits(snapshot, config_));
  parent_ = snapshot.manifest();
  parent_id_ = snapshot.id();
  auto placed = place_trainer(config_);
  if (!placed.ok()) {
    return placed.error();
  }
  trainer_ = std::move(placed.value().trainer);
  auto run = restore_snapshot(snapshot, *trainer_);
  if (!run.ok()) {
    return run.error();
  }
  run_ = std::move(run).value();
  trainer_->stop_averaging();
  config_.model.ema = 0;
  config_.lineage_toml = service::lineage_of(config_);
  return ok_status();
}

Status Branch::plan() {
  images_ = whole_batches(
      options_.images, static_cast<std::uint64_t>(config_.loader.batch_images));
  schedule_ = scheduler::anneal_from(
      schedule_options(config_), run_.schedule, images_, options_.end_rate);
  run_.schedule.set_rate = {};  // the branch begins at it
  if (schedule_.learning_rate <= options_.end_rate) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "the rate of snapshot {} is {:g}: it cannot fall to --end-rate "
            "{:g}",
            parent_id_,
            schedule_.learning_rate,
            options_.end_rate)};
  }
  board_ = std::make_unique<StatusBoard>(
      clock_,
      registry_,
      loop_options().run,
      loop_options().config_sha256,
      trainer_->prototypes(),
      trainer_->ln_k());
  return ok_status();
}

LoopOptions Branch::loop_options() const {
  LoopOptions options;
  options.schedule = schedule_;
  options.cadence = {};  // the one snapshot is that of the drain
  options.max_skipped_steps = config_.optimizer.max_skipped_steps;
  options.embedding_dim = config_.model.head_out;
  options.run = fmt::format("{}.{}", parent_.run, kKind);
  options.generation = parent_.generation;
  options.stream_id = stream_.id;
  options.order = config_.loader.order;
  options.lineage_toml = config_.lineage_toml;
  options.config_sha256 = sha256_hex(as_bytes(config_.lineage_toml));
  options.stop_after_images = images_;
  return options;
}

BranchMark Branch::mark() const {
  const nlohmann::ordered_json json{
      {"kind", kKind},
      {"run", parent_.run},
      {"images", images_},
      {"learning_rate",
       {{"from", schedule_.learning_rate},
        {"to", schedule_.end_learning_rate}}}};
  return {parent_id_, parent_.commit, json.dump()};
}

AnnealProgress Branch::progress() const {
  const StepFigures figures = board_->figures();
  AnnealProgress progress;
  progress.of = images_;
  progress.images_per_second = board_->images_per_second();
  if (figures.images > parent_.images) {
    progress.images = figures.images - parent_.images;
    progress.loss = figures.smoothed_loss;
    progress.learning_rate = figures.learning_rate;
  }
  return progress;
}

Status Branch::train() {
  auto stream = open_branch_stream(config_, registry_);
  if (!stream.ok()) {
    return stream.error();
  }
  stream_ = std::move(stream).value();
  SWAVD_RETURN_IF_ERROR(assign_stream(config_, stream_, run_));
  log(LogLevel::kInfo,
      "annealing",
      fmt::format(
          "run {} from snapshot {}: {} images, rate {:g} to {:g}",
          parent_.run,
          parent_id_,
          images_,
          schedule_.learning_rate,
          schedule_.end_learning_rate));
  BranchFolder folder(*board_, options_.out, mark());
  const auto loader =
      start_run_loader(config_, stream_, run_, trainer_->allocator());
  std::optional<Ticker> ticker;
  if (options_.on_progress) {
    ticker.emplace("progress", std::chrono::seconds(1), [this] {
      options_.on_progress(progress());
    });
  }
  TrainingLoop loop(
      {clock_,
       registry_,
       control_,
       *board_,
       manager_,
       *loader,
       *trainer_,
       folder,
       /*lease=*/nullptr,
       /*dead_letters=*/nullptr,
       /*reload=*/{},
       [this](const loader::Batch&, const trainer::StepReport&) {
         // Nobody could resume it.
         if (control_.peek().paused) {
           paused_ = true;
           control_.quit();
         }
       }},
      loop_options(),
      std::move(run_));
  const Status status = loop.run();
  ticker.reset();
  loader->close();
  stream_.source->close();
  return verdict_on(status);
}

Status Branch::verdict_on(const Status& loop) const {
  if (loop.ok() || loop.error().code != ErrorCode::kRestart) {
    return loop;  // not the end of being told to quit
  }
  const std::string done = fmt::format(
      "after {} of {} images; nothing was written", progress().images, images_);
  if (paused_) {
    return Error{
        ErrorCode::kInternal,
        "training came to a pause, whose reason is in the log, " + done};
  }
  return Error{ErrorCode::kCancelled, "told to end " + done};
}

AnnealReport Branch::report() const {
  const StepFigures figures = board_->figures();
  AnnealReport report;
  report.snapshot_id = board_->last_snapshot().id;
  report.parent = parent_id_;
  report.steps = figures.step - parent_.step;
  report.images = progress().images;
  report.first_rate = schedule_.learning_rate;
  report.last_rate = figures.learning_rate;
  report.loss = figures.smoothed_loss;
  report.seconds =
      std::chrono::duration<double>(clock_.steady() - begun_).count();
  return report;
}

Result<AnnealReport> Branch::run() {
  SWAVD_RETURN_IF_ERROR(check_command());
  SWAVD_RETURN_IF_ERROR(restore());
  SWAVD_RETURN_IF_ERROR(plan());
  SWAVD_RETURN_IF_ERROR(train());
  return report();
}

}  // namespace

Result<AnnealReport> run_anneal(
    const service::Config& config,
    const AnnealOptions& options) {
  Control control;
  // Before any other thread: signals are blocked in all of them.
  const service::Signals signals([&control](service::Request request) {
    if (request == service::Request::kDrain ||
        request == service::Request::kQuit) {
      control.quit();
    }
  });
  return Branch(config, options, control).run();
}

}  // namespace swavd::daemon
