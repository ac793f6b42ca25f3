#include "ops/daemon/replay_step.h"

#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/clock.h"
#include "ops/daemon/crops_file.h"
#include "ops/daemon/evaluate.h"
#include "ops/daemon/options.h"
#include "ops/daemon/schedule_json.h"
#include "scheduler/learning_rate.h"
#include "state/snapshot_ref.h"

namespace swavd::daemon {

namespace {

/// The model with its momenta, ready to be trained.
Result<LoadedModel> load_whole(state::SnapshotReader& snapshot) {
  auto model = load_model(snapshot, ModelUse::kTrain);
  if (!model.ok()) {
    if (model.error().code == ErrorCode::kNotFound) {
      return Error{
          ErrorCode::kNotFound,
          fmt::format(
              "{}; a step needs {}: pull the snapshot with `swavctl snapshots "
              "pull --with-state`",
              model.error().message,
              state::kStateFile)};
    }
    return model.error();
  }
  if (model.value().config.model.trainer != "torch") {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "snapshot {} is of model.trainer = \"{}\", which has no weights to "
            "train; name one of \"torch\"",
            snapshot.id(),
            model.value().config.model.trainer)};
  }
  return model;
}

/// What the snapshot after a step says of the run. The crops come from no
/// stream, so its positions stay.
void account(
    const trainer::StepReport& report,
    std::int32_t images,
    const scheduler::ScheduleOptions& options,
    scheduler::ScheduleState& schedule,
    state::Manifest& manifest) {
  if (!report.trained) {
    return;
  }
  const auto count = static_cast<std::uint64_t>(images);
  schedule = scheduler::observe(options, schedule, report.loss, count);
  manifest.images += count;
  manifest.schedule_json = schedule_to_json(schedule);
  manifest.health.loss = schedule.smoothed_loss;
}

Status write_result(
    trainer::Trainer& trainer,
    state::Manifest manifest,
    const std::string& folder) {
  const state::FrozenState frozen = trainer.freeze();
  manifest.created_ms = SystemClock().unix_ms();
  manifest.step = frozen.step;
  manifest.random_json = frozen.random_json;
  manifest.health.ln_k = frozen.health.ln_k;
  const auto written =
      state::write_snapshot_folder(std::move(manifest), frozen, folder);
  return written.ok() ? ok_status() : Status(written.error());
}

}  // namespace

Result<ReplayReport> replay_step(
    const std::string& ref,
    const std::string& crops_file,
    const std::string& folder) {
  // Opened once: what REF names may be another snapshot the next moment.
  auto opened = state::open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  state::SnapshotReader& snapshot = *opened.value().reader;
  const auto batch = read_crops_file(crops_file);
  if (!batch.ok()) {
    return batch.error();
  }
  state::Manifest manifest = snapshot.manifest();
  auto schedule = schedule_from_json(manifest.schedule_json);
  if (!schedule.ok()) {
    return schedule.error();
  }
  auto model = load_whole(snapshot);
  if (!model.ok()) {
    return model.error();
  }
  const auto options = schedule_options(model.value().config);
  const double rate = scheduler::learning_rate(options, schedule.value());
  trainer::Trainer& trainer = *model.value().trainer;
  const auto step = trainer.step(batch.value(), rate);
  if (!step.ok()) {
    return step.error().with_context(crops_file);
  }
  manifest.parent = snapshot.id();
  account(
      step.value(), batch.value().images, options, schedule.value(), manifest);
  SWAVD_RETURN_IF_ERROR(write_result(trainer, std::move(manifest), folder));
  ReplayReport report;
  report.trained = step.value().trained;
  report.skip_reason = step.value().skip_reason;
  report.loss = step.value().loss;
  report.grad_norm = step.value().grad_norm;
  report.learning_rate = rate;
  return report;
}

std::string to_json(const ReplayReport& report) {
  using Json = nlohmann::ordered_json;
  // Of a step that is skipped for its loss no gradient was taken.
  const bool has_norm = report.trained || std::isfinite(report.loss);
  const auto figure = [](double value) {
    return std::isfinite(value) ? Json(value) : Json();
  };
  Json json = {
      {"loss", figure(report.loss)},
      {"grad_norm", has_norm ? figure(report.grad_norm) : Json()},
      {"learning_rate", report.learning_rate}};
  if (!report.trained) {
    json["skipped"] = report.skip_reason;
  }
  return json.dump();
}

}  // namespace swavd::daemon
