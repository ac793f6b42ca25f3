#include "ops/daemon/status_board.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "ops/daemon/schedule_text.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using std::chrono::seconds;

constexpr seconds kRateWindow{30};
constexpr std::size_t kHistoryPoints = 512;

double to_seconds(std::int64_t unix_ms) {
  return static_cast<double>(unix_ms) / 1000.0;
}

}  // namespace

StatusBoard::StatusBoard(
    const Clock& clock,
    metrics::Registry& registry,
    std::string run,
    std::string config_sha256,
    std::int64_t prototypes,
    double ln_k)
    : clock_(clock),
      registry_(registry),
      run_(std::move(run)),
      config_sha256_(std::move(config_sha256)),
      prototypes_(prototypes),
      ln_k_(ln_k),
      started_(clock.steady()) {
  registry_.set(Id::kTrainLnK, ln_k_);
  set_state(service::State::kStarting);
  const MutexLock lock(mutex_);
  show_figures();
}

void StatusBoard::set_state(service::State state, const std::string& why) {
  const MutexLock lock(mutex_);
  state_ = state;
  why_ = why;
  for (int i = 0; i < service::kStates; ++i) {
    const auto other = static_cast<service::State>(i);
    registry_.set(
        Id::kState, other == state ? 1.0 : 0.0, {service::to_string(other)});
  }
}

service::State StatusBoard::state() const {
  const MutexLock lock(mutex_);
  return state_;
}

void StatusBoard::set_generation(std::uint64_t generation) {
  const MutexLock lock(mutex_);
  generation_ = generation;
  registry_.set(Id::kRunGeneration, static_cast<double>(generation));
}

void StatusBoard::set_prototype_sets(std::vector<std::int64_t> sets) {
  const MutexLock lock(mutex_);
  prototype_sets_ = std::move(sets);
}

void StatusBoard::set_lease(const LeaseFigures& lease) {
  const MutexLock lock(mutex_);
  lease_ = lease;
}

void StatusBoard::set_device(const std::string& device) {
  const MutexLock lock(mutex_);
  device_ = device;
}

LeaseState StatusBoard::lease_state() const {
  const bool overdue = lease_.state == LeaseState::kHeld &&
                       clock_.steady() - lease_.renewed > lease_.expiry;
  return overdue ? LeaseState::kOverdue : lease_.state;
}

void StatusBoard::refresh_gauges() const {
  const MutexLock lock(mutex_);
  const LeaseState state = lease_state();
  for (int i = 0; i < kLeaseStates; ++i) {
    const auto other = static_cast<LeaseState>(i);
    registry_.set(
        Id::kLeaseState, other == state ? 1.0 : 0.0, {to_string(other)});
  }
}

void StatusBoard::remember_loss(const StepFigures& figures) {
  if (figures.step % history_stride_ != 0) {
    return;
  }
  history_.emplace_back(figures.images, figures.smoothed_loss);
  if (history_.size() < kHistoryPoints) {
    return;
  }
  // Half the points at twice the distance: the whole run stays in view.
  std::vector<std::pair<std::uint64_t, double>> thinned;
  for (std::size_t i = 1; i < history_.size(); i += 2) {
    thinned.push_back(history_[i]);
  }
  history_ = std::move(thinned);
  history_stride_ *= 2;
}

void StatusBoard::show_figures() const {
  const scheduler::HealthFigures& health = figures_.health;
  registry_.set(Id::kTrainStep, static_cast<double>(figures_.step));
  registry_.set(Id::kTrainLossSmoothed, figures_.smoothed_loss);
  registry_.set(Id::kTrainLearningRate, figures_.learning_rate);
  registry_.set(Id::kSwavFeatureStd, health.feature_std);
  registry_.set(Id::kSwavRankMe, health.rank);
  for (const scheduler::Verdict verdict : scheduler::kVerdicts) {
    registry_.set(
        Id::kHealthVerdict,
        verdict == health.health.verdict ? 1.0 : 0.0,
        {scheduler::to_string(verdict)});
  }
  if (schedule_) {
    const scheduler::ScheduleState& state = figures_.schedule;
    registry_.set(
        Id::kTrainPlateau, static_cast<double>(state.images - state.best_at));
    registry_.set(
        Id::kTrainLrFloor, scheduler::at_floor(*schedule_, state) ? 1.0 : 0.0);
  }
}

void StatusBoard::set_schedule(const scheduler::ScheduleOptions& schedule) {
  const MutexLock lock(mutex_);
  schedule_ = schedule;
}

void StatusBoard::rescheduled(const scheduler::ScheduleState& schedule) {
  const MutexLock lock(mutex_);
  figures_.schedule = schedule;
  if (schedule_) {
    figures_.learning_rate = scheduler::learning_rate(*schedule_, schedule);
  }
  show_figures();
}

void StatusBoard::restored(const StepFigures& figures) {
  const MutexLock lock(mutex_);
  figures_ = figures;
  show_figures();
}

void StatusBoard::stepped(const StepFigures& figures) {
  const MutexLock lock(mutex_);
  figures_ = figures;
  remember_loss(figures);
  const auto now = clock_.steady();
  recent_.emplace_back(now, figures.images);
  while (recent_.size() > 2 && now - recent_.front().first > kRateWindow) {
    recent_.pop_front();
  }
  show_figures();
  const scheduler::PrototypeUse& use = figures.health.use;
  registry_.set(Id::kTrainLoss, figures.loss);
  registry_.set(Id::kTrainLastStep, to_seconds(clock_.unix_ms()));
  registry_.set(Id::kSwavPerplexity, use.perplexity);
  registry_.set(Id::kSwavUsed, static_cast<double>(use.used));
  registry_.set(Id::kSwavUnused, static_cast<double>(prototypes_ - use.used));
}

void StatusBoard::rejected(const std::string& reason) {
  const MutexLock lock(mutex_);
  ++rejected_[reason];
  registry_.add(Id::kRejected, 1, {reason});
}

void StatusBoard::show_lag(std::int32_t number, const Partition& partition) {
  if (partition.next >= 0 && partition.end >= 0) {
    registry_.set(
        Id::kStreamLag,
        static_cast<double>(partition.lag()),
        {std::to_string(number)});
  }
}

void StatusBoard::positions(const std::vector<ingest::Position>& positions) {
  const MutexLock lock(mutex_);
  for (const ingest::Position& position : positions) {
    Partition& partition = partitions_[position.partition];
    const std::string label = std::to_string(position.partition);
    partition.next = position.next;
    partition.above = 0;
    for (const ingest::OffsetRange& range : position.done_above) {
      partition.above += range.last - range.first + 1;
    }
    partition.skipped = position.skipped;
    registry_.set(
        Id::kStreamPosition, static_cast<double>(position.next), {label});
    registry_.raise_to(
        Id::kStreamConsumed,
        static_cast<double>(
            position.trained + position.rejected + position.skipped),
        {label});
    if (position.last && position.last->timestamp_ms >= 0) {
      partition.trained_ms = position.last->timestamp_ms;
      registry_.set(
          Id::kStreamFreshness, to_seconds(partition.trained_ms), {label});
    }
    show_lag(position.partition, partition);
  }
  registry_.set(Id::kStreamPartitions, static_cast<double>(positions.size()));
}

void StatusBoard::shuffle_window(std::uint64_t records, std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  held_records_ = records;
  held_bytes_ = bytes;
  registry_.set(Id::kShuffleRecords, static_cast<double>(records));
  registry_.set(Id::kShuffleBytes, static_cast<double>(bytes));
}

void StatusBoard::bounds(const std::vector<ingest::PartitionBounds>& bounds) {
  const MutexLock lock(mutex_);
  for (const ingest::PartitionBounds& bound : bounds) {
    registry_.set(
        Id::kStreamEnd,
        static_cast<double>(bound.end),
        {std::to_string(bound.partition)});
    const auto read = partitions_.find(bound.partition);
    if (read == partitions_.end()) {
      continue;  // added while this process runs: it does not read it
    }
    read->second.end = bound.end;
    show_lag(bound.partition, read->second);
  }
}

void StatusBoard::snapshot_durable(
    const SnapshotFigures& snapshot,
    const std::vector<ingest::Position>& positions) {
  const MutexLock lock(mutex_);
  snapshot_ = snapshot;
  for (const ingest::Position& position : positions) {
    partitions_[position.partition].snapshot = position.next;
    registry_.set(
        Id::kStreamSnapshotOffset,
        static_cast<double>(position.next),
        {std::to_string(position.partition)});
  }
}

void StatusBoard::probed(const ProbeFigures& figures) {
  const MutexLock lock(mutex_);
  probe_ = figures;
}

StepFigures StatusBoard::figures() const {
  const MutexLock lock(mutex_);
  return figures_;
}

SnapshotFigures StatusBoard::last_snapshot() const {
  const MutexLock lock(mutex_);
  return snapshot_;
}

double StatusBoard::rate() const {
  // Up to now, not up to the last step: a stream that has gone quiet shows.
  const auto now = clock_.steady();
  const auto first =
      std::find_if(recent_.begin(), recent_.end(), [now](const auto& step) {
        return now - step.first <= kRateWindow;
      });
  if (first == recent_.end()) {
    return 0;
  }
  const std::chrono::duration<double> span = now - first->first;
  return span.count() > 0
             ? static_cast<double>(recent_.back().second - first->second) /
                   span.count()
             : 0;
}

double StatusBoard::images_per_second() const {
  const MutexLock lock(mutex_);
  return rate();
}

std::string StatusBoard::json() const {
  using Json = nlohmann::ordered_json;
  const MutexLock lock(mutex_);
  Json json;
  json["run"] = run_;
  json["state"] = service::to_string(state_);
  json["why"] = why_;
  json["generation"] = generation_;
  json["device"] = device_;
  json["lease"] = {
      {"state", to_string(lease_state())}, {"owner", lease_.owner}};
  if (lease_.state == LeaseState::kHeld) {
    const std::chrono::duration<double> age = clock_.steady() - lease_.renewed;
    const std::chrono::duration<double> expiry = lease_.expiry;
    json["lease"]["renewed_seconds_ago"] = age.count();
    json["lease"]["expiry_seconds"] = expiry.count();
  }
  json["step"] = figures_.step;
  json["images"] = figures_.images;
  json["images_per_second"] = rate();
  json["loss"] = figures_.smoothed_loss;
  json["ln_k"] = ln_k_;
  json["learning_rate"] = figures_.learning_rate;
  if (schedule_) {
    json["schedule"] =
        Json::parse(schedule_status_json(*schedule_, figures_.schedule));
  }
  const scheduler::HealthFigures& health = figures_.health;
  json["health"] = {
      {"verdict", scheduler::to_string(health.health.verdict)},
      {"reason", scheduler::to_string(health.health.reason)},
      {"best_loss", health.best_loss},
      {"feature_std", health.feature_std},
      {"rank_me", health.rank},
      {"grad_norm", health.grad_norm}};
  json["prototypes"] = {
      {"k", prototypes_},
      {"sets", prototype_sets_},
      {"used", health.use.used},
      {"unused", prototypes_ - health.use.used},
      {"perplexity", health.use.perplexity}};
  std::uint64_t skipped = 0;
  Json positions = Json::array();
  for (const auto& [number, partition] : partitions_) {
    Json one = {{"partition", number}, {"next", partition.next}};
    if (partition.end >= 0) {
      one["end"] = partition.end;
      one["lag"] = partition.lag();
    }
    if (partition.snapshot >= 0) {
      one["snapshot"] = partition.snapshot;
    }
    if (partition.trained_ms >= 0) {
      one["last_trained"] = format_utc(partition.trained_ms);
    }
    skipped += partition.skipped;
    positions.push_back(std::move(one));
  }
  json["stream"] = {
      {"positions", std::move(positions)},
      {"shuffle_window", {{"records", held_records_}, {"bytes", held_bytes_}}}};
  json["rejected"] = rejected_;
  json["skipped"] = skipped;
  if (!snapshot_.id.empty()) {
    json["last_snapshot"] = {
        {"id", snapshot_.id},
        {"step", snapshot_.step},
        {"created", format_utc(snapshot_.created_ms)}};
  } else {
    json["last_snapshot"] = nullptr;
  }
  if (probe_) {
    json["probe"] = {
        {"snapshot", probe_->snapshot_id},
        {"step", probe_->step},
        {"knn_top1", probe_->top1},
        {"standard_error", probe_->standard_error},
        {"pixels_top1", probe_->pixels_top1},
        {"bank", probe_->bank},
        {"queries", probe_->queries},
        {"ended", format_utc(probe_->ended_ms)}};
  } else {
    json["probe"] = nullptr;
  }
  json["config_sha256"] = config_sha256_;
  json["uptime_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(
                               clock_.steady() - started_)
                               .count();
  json["history"] = history_;
  return json.dump();
}

}  // namespace swavd::daemon
