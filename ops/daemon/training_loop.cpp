#include "ops/daemon/training_loop.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "ingest/position_json.h"
#include "ops/base/log.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using std::chrono::milliseconds;

/// How long the loop waits before it looks at signals and pings again.
constexpr milliseconds kHeartbeat{200};
constexpr std::int64_t kWindowPerPrototype = 10;

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

/// Offsets are handed out in order, so a hole below one that was handed out, or
/// below `end` (nothing below it will be), holds no record: compacted away, or
/// a transaction's marker.
void pass_absent(
    ingest::StreamProgress& progress,
    const ingest::Position& position,
    std::optional<std::int64_t> end = std::nullopt) {
  std::int64_t next = position.next;
  for (const ingest::OffsetRange& range : position.done_above) {
    if (end && range.first >= *end) {
      break;
    }
    progress.absent(position.partition, next, range.first - 1);
    next = range.last + 1;
  }
  if (end && next < *end) {
    progress.absent(position.partition, next, *end - 1);
  }
}

}  // namespace

TrainingLoop::TrainingLoop(LoopParts parts, LoopOptions options, RunState run)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      run_(std::move(run)) {
  const std::int64_t k = parts_.trainer.prototypes();
  if (k > 0) {
    window_.emplace(k, kWindowPerPrototype * k);
  }
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
  while (true) {
    if (const auto fatal = parts_.keeper.fatal()) {
      return *fatal;
    }
    if (const auto lost = parts_.lease.lost()) {
      return *lost;
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
    SWAVD_RETURN_IF_ERROR(one_iteration(wishes));
    maybe_snapshot(wishes.snapshot);
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
    parts_.board.set_state(
        service::State::kPaused,
        pause_reason_.empty() ? "paused by the operator" : pause_reason_);
    parts_.control.wait(milliseconds(1000));
    return ok_status();
  }
  if (parts_.board.state() != service::State::kTraining) {
    pause_reason_.clear();
    skipped_in_a_row_ = 0;
    parts_.board.set_state(service::State::kTraining);
  }
  const auto before = parts_.clock.steady();
  auto next = parts_.loader.next(kHeartbeat);
  data_wait_ += seconds_between(before, parts_.clock.steady());
  if (!next.ok()) {
    return next.error();
  }
  observe_queues();
  if (next.value().state == loader::NextState::kEnd) {
    parts_.control.drain();  // a finite source; a stream never ends
    return ok_status();
  }
  if (next.value().state == loader::NextState::kBatch) {
    return handle(*next.value().batch);
  }
  return ok_status();
}

Status TrainingLoop::handle(const loader::Batch& batch) {
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
  observe_phases(batch, report, std::exchange(data_wait_, 0));
  observe_precision(report);
  SWAVD_RETURN_IF_ERROR(send_dead_letters(batch));
  SWAVD_RETURN_IF_ERROR(consume(
      batch,
      report.trained ? ingest::Outcome::kTrained : ingest::Outcome::kSkipped));
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

Status TrainingLoop::send_dead_letters(const loader::Batch& batch) {
  for (const loader::Rejected& rejected : batch.rejected) {
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

Status TrainingLoop::consume(
    const loader::Batch& batch,
    ingest::Outcome outcome) {
  for (const loader::Slot& slot : batch.slots) {
    SWAVD_RETURN_IF_ERROR(run_.progress.consume(
        {slot.address, slot.timestamp_ms, slot.payload_sha256, outcome}));
  }
  for (const loader::Rejected& rejected : batch.rejected) {
    SWAVD_RETURN_IF_ERROR(run_.progress.consume(
        {rejected.record.address,
         rejected.record.timestamp_ms,
         rejected.payload_sha256,
         ingest::Outcome::kRejected}));
  }
  for (const loader::TakenGap& gap : batch.gaps) {
    // What came before the gap may have been read from behind such a hole.
    for (const ingest::Position& position : run_.progress.positions()) {
      if (position.partition == gap.partition) {
        pass_absent(run_.progress, position, gap.from);
      }
    }
    SWAVD_RETURN_IF_ERROR(
        run_.progress.skip_gap(gap.partition, gap.from, gap.to, "retention"));
    parts_.registry.add(
        Id::kStreamGapRecords,
        static_cast<double>(gap.to - gap.from + 1),
        {"retention"});
  }
  for (const ingest::Position& position : run_.progress.positions()) {
    pass_absent(run_.progress, position);
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
  const std::uint64_t halvings = run_.schedule.halvings;
  run_.schedule =
      scheduler::observe(options_.schedule, run_.schedule, report.loss, images);
  if (run_.schedule.halvings > halvings) {
    parts_.registry.add(Id::kTrainLrReductions);
    log(LogLevel::kInfo,
        "learning_rate_halved",
        fmt::format(
            "the smoothed loss stays at {:.4f}: the rate is {:g} now",
            run_.schedule.smoothed_loss,
            scheduler::learning_rate(options_.schedule, run_.schedule)));
  }
  if (window_) {
    window_->add(report.top_prototypes);
    judge(report);
  }
  parts_.registry.add(Id::kTrainSteps);
  parts_.registry.add(Id::kTrainImages, static_cast<double>(images));
  parts_.registry.add(Id::kDecodedImages, static_cast<double>(images), {"ok"});
  parts_.registry.set(Id::kTrainGradNorm, report.grad_norm);
  parts_.registry.set(Id::kSwavFeatureStd, report.feature_std);
  parts_.registry.set(Id::kTrainLossSmoothed, run_.schedule.smoothed_loss);
  StepFigures figures;
  figures.step = report.step;
  figures.images = images_trained(run_.progress);
  figures.batch_images = batch.images;
  figures.loss = report.loss;
  figures.smoothed_loss = run_.schedule.smoothed_loss;
  figures.learning_rate = rate;
  figures.verdict = run_.verdict;
  if (window_) {
    figures.use = window_->use();
  }
  parts_.board.stepped(figures);
}

void TrainingLoop::judge(const trainer::StepReport& report) {
  scheduler::HealthInput input;
  input.images = run_.schedule.images;
  input.smoothed_loss = run_.schedule.smoothed_loss;
  input.ln_k = std::log(static_cast<double>(parts_.trainer.prototypes()));
  input.use = window_->use();
  input.prototypes = parts_.trainer.prototypes();
  input.feature_std = report.feature_std;
  input.feature_dim = options_.embedding_dim;
  input.before = run_.verdict;
  const scheduler::Verdict verdict = scheduler::judge(options_.health, input);
  if (verdict == run_.verdict) {
    return;
  }
  run_.verdict = verdict;
  const std::string text = fmt::format(
      "loss {:.4f}, ln K {:.4f}, prototype perplexity {:.1f} of {}",
      input.smoothed_loss,
      input.ln_k,
      input.use.perplexity,
      input.prototypes);
  if (verdict == scheduler::Verdict::kStuck) {
    log(LogLevel::kWarning,
        "stuck",
        "the loss stays at ln K, nothing is learnt; lower swav.epsilon, "
        "freeze the prototypes longer or soften the crops: " +
            text);
  } else if (verdict == scheduler::Verdict::kCollapsing) {
    pause("the features collapse: " + text);
  } else {
    log(LogLevel::kInfo, scheduler::to_string(verdict), text);
  }
}

void TrainingLoop::skipped(const trainer::StepReport& report) {
  ++skipped_in_a_row_;
  parts_.registry.add(Id::kTrainSkipped, 1, {report.skip_reason});
  log(LogLevel::kWarning,
      report.skip_reason,
      fmt::format(
          "step skipped, nothing changed ({} in a row)", skipped_in_a_row_));
  if (skipped_in_a_row_ >= options_.max_skipped_steps) {
    pause(fmt::format("{} steps skipped in a row", skipped_in_a_row_));
  }
}

void TrainingLoop::pause(const std::string& why) {
  pause_reason_ = why;
  log(LogLevel::kError,
      "paused",
      why + "; the position is held, `swavctl resume` continues");
  parts_.control.pause();
}

void TrainingLoop::observe_phases(
    const loader::Batch& batch,
    const trainer::StepReport& report,
    double data_wait) {
  metrics::Registry& registry = parts_.registry;
  registry.observe(Id::kTrainStepDuration, data_wait, {"data_wait"});
  registry.observe(Id::kTrainStepDuration, report.phases.forward, {"forward"});
  registry.observe(
      Id::kTrainStepDuration, report.phases.sinkhorn, {"sinkhorn"});
  registry.observe(
      Id::kTrainStepDuration, report.phases.backward, {"backward"});
  registry.observe(
      Id::kTrainStepDuration, report.phases.optimizer, {"optimizer"});
  registry.add(Id::kDecodeSeconds, batch.decode_seconds);
  registry.add(Id::kRenderSeconds, batch.render_seconds);
}

void TrainingLoop::observe_precision(const trainer::StepReport& report) {
  parts_.registry.set(Id::kTrainLossScale, report.loss_scale);
  parts_.registry.set(
      Id::kTrainMemoryPeak, static_cast<double>(report.peak_bytes));
  if (report.overflows == 0) {
    return;
  }
  parts_.registry.add(Id::kTrainOverflows, report.overflows);
  log(LogLevel::kInfo,
      "overflow",
      fmt::format(
          "fp16 gradients overflowed: the step was tried {} times, the loss "
          "scale is {:g}",
          report.overflows + 1,
          report.loss_scale));
}

void TrainingLoop::observe_queues() {
  const loader::LoaderStats stats = parts_.loader.stats();
  const auto show = [this](const char* stage, const QueueStats& queue) {
    const auto seconds = [](std::chrono::nanoseconds time) {
      return std::chrono::duration<double>(time).count();
    };
    metrics::Registry& registry = parts_.registry;
    registry.set(Id::kQueueItems, static_cast<double>(queue.depth), {stage});
    registry.set(
        Id::kQueueCapacity, static_cast<double>(queue.capacity), {stage});
    registry.raise_to(
        Id::kPipelineWait, seconds(queue.consumer_wait), {stage, "input"});
    registry.raise_to(
        Id::kPipelineWait, seconds(queue.producer_wait), {stage, "output"});
  };
  show("records", stats.records);
  show("batches", stats.batches);
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
  state::Health& health = job.state.health;
  health.verdict = scheduler::to_string(run_.verdict);
  health.loss = run_.schedule.smoothed_loss;
  const std::int64_t k = parts_.trainer.prototypes();
  health.ln_k = k > 0 ? std::log(static_cast<double>(k)) : 0;
  health.prototype_perplexity = window_ ? window_->use().perplexity : 0;
  health.finite = std::isfinite(health.loss);
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
  manifest.config_toml = options_.lineage_toml;
  manifest.config_sha256 = options_.config_sha256;
  manifest.health = health;
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
