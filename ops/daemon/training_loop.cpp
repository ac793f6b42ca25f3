#include "ops/daemon/training_loop.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "ingest/position_json.h"
#include "ops/base/log.h"
#include "ops/daemon/consumption.h"
#include "ops/daemon/schedule_text.h"
#include "ops/daemon/step_metrics.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using std::chrono::milliseconds;

/// How long the loop waits before it looks at signals and pings again.
constexpr milliseconds kHeartbeat{200};

// Reasons of a pause.
constexpr std::string_view kOperator = "operator";
constexpr std::string_view kCollapsing = "collapsing";
constexpr std::string_view kSkippedSteps = "skipped_steps";

double seconds_between(
    std::chrono::steady_clock::time_point from,
    std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::uint64_t images_trained(const ingest::StreamProgress& progress) {
  std::uint64_t images = 0;
  for (const ingest::Position& position : progress.positions()) {
    images += position.trained;
  }
  return images;
}

ingest::OutRecord dead_letter(const loader::Rejected& rejected) {
  ingest::OutRecord out;
  out.key = rejected.record.key;
  out.payload = rejected.record.payload;
  out.headers = rejected.record.headers;
  out.timestamp_ms = rejected.record.timestamp_ms;
  out.headers.emplace_back(
      ingest::kHeaderReason, to_string(rejected.rejection.reason));
  out.headers.emplace_back(ingest::kHeaderDetail, rejected.rejection.detail);
  out.headers.emplace_back(
      ingest::kHeaderAddress, ingest::to_string(rejected.record.address));
  return out;
}

}  // namespace

TrainingLoop::TrainingLoop(LoopParts parts, LoopOptions options, RunState run)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      run_(std::move(run)),
      health_(
          parts_.registry,
          options_.health,
          parts_.trainer,
          options_.embedding_dim,
          run_.health) {
  if (run_.stream) {
    turn_ = run_.stream->turn;
  }
  last_snapshot_ = {
      run_.snapshot_id.empty() ? 0 : parts_.trainer.steps(),
      std::chrono::duration_cast<milliseconds>(
          parts_.clock.steady().time_since_epoch())
          .count()};
}

Status TrainingLoop::run() {
  if (health_.waits_for_operator()) {
    pause(kCollapsing, "the features collapsed before the restart");
  }
  while (true) {
    if (const auto fatal = parts_.keeper.fatal()) {
      return *fatal;
    }
    if (parts_.lease != nullptr) {
      if (const auto lost = parts_.lease->lost()) {
        return *lost;
      }
    }
    const Control::Wishes wishes = parts_.control.take();
    if (wishes.quit) {
      return Error{ErrorCode::kRestart, "told to quit before the drain ended"};
    }
    if (wishes.drain) {
      return drain();
    }
    if (wishes.reload) {
      reload();
    }
    if (wishes.rate) {
      set_rate(*wishes.rate);
    }
    SWAVD_RETURN_IF_ERROR(one_iteration(wishes));
    // A rate that was given outlives whatever happens next.
    maybe_snapshot(wishes.snapshot || wishes.rate.has_value());
    if (options_.stop_after_images > 0 &&
        images_here_ >= options_.stop_after_images) {
      parts_.control.drain();
    }
  }
}

Status TrainingLoop::one_iteration(const Control::Wishes& wishes) {
  parts_.manager.watchdog_ping();
  parts_.registry.set(
      Id::kWatchdogPing, static_cast<double>(parts_.clock.unix_ms()) / 1000.0);
  if (wishes.paused) {
    hold();
    return ok_status();
  }
  if (!pause_reason_.empty() ||
      parts_.board.state() != service::State::kTraining) {
    go_on();
  }
  const auto before = parts_.clock.steady();
  auto next = next_batch();
  data_wait_ += seconds_between(before, parts_.clock.steady());
  if (!next.ok()) {
    return next.error();
  }
  const loader::LoaderStats stats = parts_.loader.stats();
  observe_queues(parts_.registry, stats);
  parts_.board.shuffle_window(stats.held_records, stats.held_bytes);
  if (next.value().state == loader::NextState::kEnd) {
    parts_.control.drain();  // a finite source; a stream never ends
    return ok_status();
  }
  if (next.value().state == loader::NextState::kRejected) {
    return send_dead_letters(next.value().rejected);
  }
  if (next.value().state == loader::NextState::kBatch) {
    return handle(*next.value().batch);
  }
  return ok_status();
}

Result<loader::Next> TrainingLoop::next_batch() {
  if (ahead_) {
    Result<loader::Next> next = std::move(*ahead_);
    ahead_.reset();
    return next;
  }
  return parts_.loader.next(kHeartbeat);
}

void TrainingLoop::announce(const loader::Batch& batch) {
  if (!parts_.trainer.looks_ahead()) {
    return;
  }
  parts_.trainer.expect(batch);  // the first one has not been told of yet
  Result<loader::Next> next = parts_.loader.next(milliseconds(0));
  if (next.ok() && next.value().state == loader::NextState::kIdle) {
    return;
  }
  if (next.ok() && next.value().state == loader::NextState::kBatch) {
    parts_.trainer.expect(*next.value().batch);
  }
  ahead_ = std::move(next);  // an end or an error, too, in its turn
}

Status TrainingLoop::handle(const loader::Batch& batch) {
  announce(batch);
  const double rate =
      scheduler::learning_rate(options_.schedule, run_.schedule);
  const auto start = parts_.clock.steady();
  auto stepped = parts_.trainer.step(batch, rate);
  if (!stepped.ok()) {
    return stepped.error().with_context("training step");
  }
  const trainer::StepReport& report = stepped.value();
  parts_.registry.observe(
      Id::kTrainStepDuration,
      seconds_between(start, parts_.clock.steady()),
      {"step"});
  observe_phases(parts_.registry, batch, report, std::exchange(data_wait_, 0));
  observe_precision(parts_.registry, report);
  observe_trust_ratios(parts_.registry, report);
  SWAVD_RETURN_IF_ERROR(send_dead_letters(batch.rejected));
  SWAVD_RETURN_IF_ERROR(consume_batch(
      run_.progress,
      batch,
      report.trained ? ingest::Outcome::kTrained : ingest::Outcome::kSkipped,
      parts_.registry));
  turn_ = batch.turn_after;
  if (report.trained) {
    trained(batch, report, rate);
  } else {
    skipped(report);
  }
  parts_.board.positions(run_.progress.positions());
  if (parts_.on_step) {
    parts_.on_step(batch, report);
  }
  return ok_status();
}

Status TrainingLoop::send_dead_letters(
    std::span<const loader::Rejected> all_rejected) {
  for (const loader::Rejected& rejected : all_rejected) {
    if (rejected.given_before) {
      continue;
    }
    const std::string reason(to_string(rejected.rejection.reason));
    parts_.board.rejected(reason);
    parts_.registry.add(Id::kDecodedImages, 1, {reason});
    log(LogLevel::kWarning,
        reason,
        "record rejected: " + rejected.rejection.detail,
        {{"address", ingest::to_string(rejected.record.address)}});
    if (parts_.dead_letters == nullptr) {
      continue;
    }
    if (const auto sent = parts_.dead_letters->publish(dead_letter(rejected));
        !sent.ok()) {
      parts_.registry.add(
          Id::kDeadLetterFailures, 1, {to_string(sent.error().code)});
      return sent.error().with_context("dead letter");
    }
  }
  return ok_status();
}

void TrainingLoop::trained(
    const loader::Batch& batch,
    const trainer::StepReport& report,
    double rate) {
  skipped_in_a_row_ = 0;
  const auto images = static_cast<std::uint64_t>(batch.images);
  images_here_ += images;
  advance_schedule(report.loss, images);
  health_.stepped(report, images, run_.schedule.images);
  if (health_.waits_for_operator()) {
    pause(kCollapsing, "the features collapse: " + health_.text());
  }
  parts_.registry.add(Id::kTrainSteps);
  parts_.registry.add(Id::kTrainImages, static_cast<double>(images));
  const int whole = batch.images - batch.filled;
  parts_.registry.add(Id::kDecodedImages, whole, {"ok"});
  parts_.registry.add(Id::kDecodedImages, batch.filled, {"filled"});
  parts_.registry.set(Id::kTrainGradNorm, report.grad_norm);
  StepFigures figures;
  figures.step = report.step;
  figures.images = images_trained(run_.progress);
  figures.batch_images = batch.images;
  figures.loss = report.loss;
  figures.smoothed_loss = run_.schedule.smoothed_loss;
  figures.learning_rate = rate;
  figures.health = health_.figures();
  figures.schedule = run_.schedule;
  parts_.board.stepped(figures);
}

void TrainingLoop::advance_schedule(double loss, std::uint64_t images) {
  const scheduler::ScheduleState before = run_.schedule;
  run_.schedule = scheduler::observe(options_.schedule, before, loss, images);
  if (run_.schedule.halvings == before.halvings) {
    return;
  }
  parts_.registry.add(Id::kTrainLrReductions);
  log(LogLevel::kInfo,
      "learning_rate_halved",
      fmt::format(
          "from {:g} to {:g}, {}",
          scheduler::learning_rate(options_.schedule, before),
          scheduler::learning_rate(options_.schedule, run_.schedule),
          halving_text(run_.schedule.last_halving)));
}

void TrainingLoop::set_rate(double rate) {
  const double before =
      scheduler::learning_rate(options_.schedule, run_.schedule);
  run_.schedule = scheduler::with_rate(options_.schedule, run_.schedule, rate);
  const bool warming = run_.schedule.images < options_.schedule.warmup_images;
  parts_.registry.add(Id::kTrainLrSets);
  log(LogLevel::kInfo,
      "learning_rate_set",
      fmt::format(
          "an operator set the rate from {:g} to {:g}{}; it is part of the "
          "snapshots from here on",
          before,
          rate,
          warming ? ", where the warm-up leads" : ""),
      {{"images", std::to_string(run_.schedule.images)}});
  parts_.board.rescheduled(run_.schedule);
}

void TrainingLoop::skipped(const trainer::StepReport& report) {
  ++skipped_in_a_row_;
  parts_.registry.add(Id::kTrainSkipped, 1, {report.skip_reason});
  log(LogLevel::kWarning,
      report.skip_reason,
      fmt::format(
          "step skipped, nothing changed ({} in a row)", skipped_in_a_row_));
  if (skipped_in_a_row_ >= options_.max_skipped_steps) {
    pause(
        kSkippedSteps,
        fmt::format(
            "{} steps skipped in a row, the last for {}",
            skipped_in_a_row_,
            report.skip_reason));
  }
}

void TrainingLoop::pause(std::string_view reason, const std::string& why) {
  pause_reason_ = fmt::format("{}: {}", reason, why);
  parts_.registry.add(Id::kTrainPauses, 1, {reason});
  log(reason == kOperator ? LogLevel::kInfo : LogLevel::kError,
      reason,
      fmt::format(
          "training pauses: {}; the position is held, `swavctl resume` goes "
          "on, `swavctl snapshots rollback` goes back",
          why));
  parts_.control.pause();
}

void TrainingLoop::hold() {
  if (pause_reason_.empty()) {
    pause(kOperator, "paused by an operator");
  }
  if (parts_.board.state() != service::State::kPaused) {
    parts_.board.set_state(service::State::kPaused, pause_reason_);
    parts_.manager.status("paused, " + pause_reason_);
  }
  parts_.control.wait(milliseconds(1000));
}

void TrainingLoop::go_on() {
  if (!pause_reason_.empty()) {
    log(LogLevel::kInfo, "resumed", "training goes on after " + pause_reason_);
    pause_reason_.clear();
    skipped_in_a_row_ = 0;
    health_.accept();
    parts_.manager.status("training");
  }
  parts_.board.set_state(service::State::kTraining);
}

void TrainingLoop::maybe_snapshot(bool asked) {
  const auto now_ms = std::chrono::duration_cast<milliseconds>(
                          parts_.clock.steady().time_since_epoch())
                          .count();
  const std::uint64_t step = parts_.trainer.steps();
  const bool due =
      scheduler::snapshot_due(options_.cadence, last_snapshot_, step, now_ms);
  if (!due && !asked) {
    return;
  }
  if (!parts_.keeper.idle()) {
    if (!std::exchange(postponed_, true)) {
      parts_.registry.add(Id::kSnapshotPostponed);
      log(LogLevel::kWarning,
          "snapshot_postponed",
          "a snapshot is due while the one before is still being written");
    }
    if (asked) {
      parts_.control.snapshot();
    }
    return;
  }
  freeze();
  last_snapshot_ = {step, now_ms};
  postponed_ = false;
}

void TrainingLoop::freeze() {
  const auto start = parts_.clock.steady();
  SnapshotJob job;
  job.state = parts_.trainer.freeze();
  job.frozen_at = start;
  job.positions = run_.progress.positions();
  state::Manifest& manifest = job.manifest;
  manifest.run = options_.run;
  manifest.generation = options_.generation;
  manifest.step = job.state.step;
  manifest.images = images_trained(run_.progress);
  manifest.created_ms = parts_.clock.unix_ms();
  manifest.stream_json =
      stream_to_json({options_.stream_id, options_.order, turn_});
  manifest.positions_json = ingest::positions_to_json(job.positions);
  manifest.schedule_json = schedule_to_json(run_.schedule);
  manifest.random_json = job.state.random_json;
  manifest.ledger_json = ingest::ledger_to_json(run_.progress.ledger());
  manifest.origin_json = run_.origin_json;
  manifest.config_toml = options_.lineage_toml;
  manifest.config_sha256 = options_.config_sha256;
  manifest.health = health_.manifest(run_.schedule.smoothed_loss);
  parts_.registry.observe(
      Id::kSnapshotStall, seconds_between(start, parts_.clock.steady()));
  parts_.keeper.submit(std::move(job));
}

Status TrainingLoop::drain() {
  parts_.board.set_state(service::State::kDraining);
  parts_.manager.stopping("draining: committing the last snapshot");
  constexpr std::chrono::seconds kMore{120};
  parts_.manager.extend_timeout(kMore);
  parts_.keeper.wait_idle();
  // What counts is what is durable: a commit may have failed meanwhile.
  const SnapshotFigures durable = parts_.board.last_snapshot();
  if (durable.id.empty() || parts_.trainer.steps() > durable.step) {
    freeze();
    parts_.keeper.wait_idle();
    if (const auto fatal = parts_.keeper.fatal()) {
      return *fatal;
    }
    if (parts_.board.last_snapshot().id == durable.id) {
      return Error{
          ErrorCode::kRestart,
          "drained, but the last snapshot could not be committed; what was "
          "trained after the one before will be trained again"};
    }
  }
  constexpr milliseconds kUpload{60'000};
  if (!parts_.keeper.wait_uploaded(kUpload)) {
    log(LogLevel::kWarning,
        "upload_unfinished",
        "not every snapshot is uploaded yet; the next start goes on");
  }
  return ok_status();
}

void TrainingLoop::reload() {
  parts_.manager.reloading();
  if (parts_.reload) {
    if (const auto cadence = parts_.reload()) {
      options_.cadence = *cadence;
    }
  }
  parts_.manager.ready("training");
}

}  // namespace swavd::daemon
