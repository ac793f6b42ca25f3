#include "ops/daemon/snapshot_keeper.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "ops/base/log.h"

namespace swavd::daemon {

namespace {

using metrics::Id;
using std::chrono::milliseconds;

constexpr milliseconds kDeadLetterTimeout{30'000};
constexpr milliseconds kUploadRetryFirst{1'000};
constexpr milliseconds kUploadRetryCap{60'000};

double seconds_since(
    const Clock& clock,
    std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(clock.steady() - since).count();
}

std::uint64_t total_bytes(const state::Manifest& manifest) {
  std::uint64_t bytes = 0;
  for (const state::FileEntry& file : manifest.files) {
    bytes += file.bytes;
  }
  return bytes;
}

/// Has somebody pinned it since the pins were read?
bool pinned_meanwhile(const Status& drop) {
  return !drop.ok() && drop.error().code == ErrorCode::kInvalidArgument;
}

scheduler::Retained retained(const state::SnapshotInfo& info) {
  return {
      info.id,
      info.generation,
      info.commit,
      info.created_ms,
      info.verdict != state::kUnreadable,
      info.verdict == state::kHealthy};
}

/// What retention lets go. What a rollback left has a retention of its own:
/// it must not push the start of the line it made room for off the disk.
std::vector<std::string> superfluous(
    const scheduler::RetentionOptions& options,
    const std::vector<state::SnapshotInfo>& list,
    const std::set<std::string>& protect) {
  std::vector<scheduler::Retained> line;
  std::vector<scheduler::Retained> left;
  for (const state::SnapshotInfo& info : list) {
    (info.off_line ? left : line).push_back(retained(info));
  }
  auto drop = to_drop(options, std::move(line), protect);
  const auto more = to_drop(options, std::move(left), protect);
  drop.insert(drop.end(), more.begin(), more.end());
  return drop;
}

}  // namespace

SnapshotKeeper::SnapshotKeeper(
    const Clock& clock,
    metrics::Registry& registry,
    state::SnapshotStore& store,
    ingest::Sink* dead_letters,
    state::RemoteRun* remote,
    KeeperOptions options,
    std::function<void(const DurableSnapshot&)> on_durable)
    : clock_(clock),
      registry_(registry),
      store_(store),
      dead_letters_(dead_letters),
      remote_(remote),
      options_(std::move(options)),
      on_durable_(std::move(on_durable)),
      write_rate_(options_.write_rate),
      pending_(options_.pending.begin(), options_.pending.end()),
      retention_(options_.retention),
      remote_retention_(options_.remote_retention) {
  if (!options_.open_catalog) {
    options_.open_catalog = [this] {
      return state::open_local_catalog(options_.local_folder);
    };
  }
  if (options_.threads) {
    committer_.emplace(
        "snapshot-commit", [this](const std::stop_token&) { commit_loop(); });
    uploader_.emplace("snapshot-upload", [this](const std::stop_token& stop) {
      upload_loop(stop);
    });
  }
}

SnapshotKeeper::~SnapshotKeeper() {
  jobs_.close();
  if (committer_) {
    committer_->join();
  }
  if (uploader_) {
    uploader_->request_stop();
    uploader_->join();
  }
}

bool SnapshotKeeper::idle() const {
  const MutexLock lock(mutex_);
  return !busy_;
}

void SnapshotKeeper::submit(SnapshotJob job) {
  {
    const MutexLock lock(mutex_);
    SWAVD_CHECK(!busy_);
    busy_ = true;
  }
  (void)jobs_.push(std::move(job));
}

void SnapshotKeeper::wait_idle() {
  while (!options_.threads && commit_one()) {
  }
  const MutexLock lock(mutex_);
  ++waiting_;
  changed_.notify_all();
  changed_.wait(mutex_, [this]() SWAVD_REQUIRES(mutex_) { return !busy_; });
  --waiting_;
}

bool SnapshotKeeper::wait_uploaded(milliseconds timeout) {
  if (!options_.threads) {
    constexpr int kTries = 100;
    for (int i = 0; i < kTries && upload_one(); ++i) {
    }
    timeout = milliseconds(0);  // nobody else would end the wait
  }
  const MutexLock lock(mutex_);
  return changed_.wait_for(mutex_, timeout, [this]() SWAVD_REQUIRES(mutex_) {
    return pending_.empty();
  });
}

std::optional<Error> SnapshotKeeper::fatal() const {
  const MutexLock lock(mutex_);
  return fatal_;
}

void SnapshotKeeper::set_fatal(Error error) {
  const MutexLock lock(mutex_);
  if (!fatal_) {
    fatal_ = std::move(error);
  }
}

void SnapshotKeeper::set_retention(
    const scheduler::RetentionOptions& local,
    const scheduler::RetentionOptions& remote) {
  const MutexLock lock(mutex_);
  retention_ = local;
  remote_retention_ = remote;
}

void SnapshotKeeper::set_write_rate(std::uint64_t bytes_per_second) {
  const MutexLock lock(mutex_);
  write_rate_ = bytes_per_second;
}

void SnapshotKeeper::wait_for_pace(std::chrono::steady_clock::time_point due) {
  const MutexLock lock(mutex_);
  const auto time = due - clock_.steady();
  if (time > time.zero()) {
    (void)changed_.wait_for(
        mutex_, time, [this]() SWAVD_REQUIRES(mutex_) { return waiting_ > 0; });
  }
}

void SnapshotKeeper::commit_loop() {
  while (auto job = jobs_.pop()) {
    finish(std::move(*job));
  }
}

bool SnapshotKeeper::commit_one() {
  auto job = jobs_.pop_for(milliseconds(0));
  if (job) {
    finish(std::move(*job));
  }
  return job.has_value();
}

void SnapshotKeeper::finish(SnapshotJob job) {
  commit(std::move(job));
  {
    const MutexLock lock(mutex_);
    busy_ = false;
  }
  changed_.notify_all();
}

void SnapshotKeeper::failed(const char* tier, const Error& error) {
  registry_.add(Id::kSnapshotFailures, 1, {tier, to_string(error.code)});
  log(LogLevel::kError,
      to_string(error.code),
      fmt::format("snapshot ({} tier): {}", tier, error.message));
}

state::CommitOptions SnapshotKeeper::paced_from(
    std::chrono::steady_clock::time_point start) {
  state::CommitOptions options;
  options.written = [this, start, sum = std::uint64_t{0}](
                        std::uint64_t bytes) mutable {
    sum += bytes;
    const std::uint64_t rate = [this] {
      const MutexLock lock(mutex_);
      return write_rate_;
    }();
    if (rate > 0) {
      const std::chrono::duration<double> time(
          static_cast<double>(sum) / static_cast<double>(rate));
      wait_for_pace(
          start + std::chrono::duration_cast<std::chrono::nanoseconds>(time));
    }
  };
  return options;
}

void SnapshotKeeper::commit(SnapshotJob job) {
  registry_.add(Id::kSnapshotAttempts, 1, {"local"});
  if (dead_letters_ != nullptr) {
    if (const auto flushed = dead_letters_->flush(kDeadLetterTimeout);
        !flushed.ok()) {
      registry_.add(
          Id::kDeadLetterFailures, 1, {to_string(flushed.error().code)});
      failed("local", flushed.error().with_context("dead letters"));
      return;  // the position must not pass records that nobody has
    }
  }
  if (const auto allowed = options_.may_commit(); !allowed.ok()) {
    failed("local", allowed.error());
    set_fatal(allowed.error());
    return;
  }
  job.manifest.commit = options_.next_commit;
  job.manifest.parent = options_.parent;
  const auto committed =
      store_.commit(job.manifest, job.state, paced_from(clock_.steady()));
  if (!committed.ok()) {
    failed("local", committed.error());
    if (committed.error().code != ErrorCode::kExhausted) {
      set_fatal(committed.error().with_context(
          "the outcome of a commit is unknown; a restart decides"));
    }
    return;
  }
  const std::string& id = committed.value();
  ++options_.next_commit;
  options_.parent = id;
  registry_.observe(
      Id::kSnapshotDuration, seconds_since(clock_, job.frozen_at), {"local"});
  registry_.set(
      Id::kSnapshotLast,
      static_cast<double>(clock_.unix_ms()) / 1000.0,
      {"local"});
  registry_.set(
      Id::kSnapshotLastStep, static_cast<double>(job.state.step), {"local"});
  log(LogLevel::kInfo,
      "snapshot_committed",
      fmt::format("snapshot {} is durable", id),
      {{"step", std::to_string(job.state.step)}});
  on_durable_(
      {id,
       job.manifest.commit,
       job.state.step,
       job.manifest.created_ms,
       std::move(job.positions)});
  if (remote_ != nullptr &&
      job.manifest.commit % static_cast<std::uint64_t>(options_.upload_every) ==
          0) {
    want_upload(id);
  }
  apply_retention();
}

void SnapshotKeeper::apply_retention() {
  auto list = store_.list();
  if (!list.ok()) {
    failed("local", list.error().with_context("retention"));
    return;
  }
  if (!list.value().empty()) {
    registry_.set(
        Id::kSnapshotBytes,
        static_cast<double>(list.value().back().bytes),
        {"local"});
  }
  auto pins = store_.pinned();
  if (!pins.ok()) {
    failed("local", pins.error().with_context("retention"));
    return;
  }
  std::set<std::string> protect(pins.value().begin(), pins.value().end());
  scheduler::RetentionOptions retention;
  {
    const MutexLock lock(mutex_);
    protect.insert(pending_.begin(), pending_.end());
    retention = retention_;
  }
  std::size_t dropped = 0;
  for (const std::string& id : superfluous(retention, list.value(), protect)) {
    const auto drop = store_.drop(id);
    if (pinned_meanwhile(drop)) {
      continue;
    }
    if (!drop.ok()) {
      failed("local", drop.error().with_context("drop " + id));
      return;
    }
    ++dropped;
  }
  registry_.set(
      Id::kSnapshotRetained,
      static_cast<double>(list.value().size() - dropped),
      {"local"});
}

void SnapshotKeeper::want_upload(const std::string& id) {
  std::string superseded;
  {
    const MutexLock lock(mutex_);
    pending_.push_back(id);
    const auto bound = static_cast<std::size_t>(options_.max_pending);
    if (pending_.size() > bound) {
      const auto oldest = pending_.begin() + (uploading_ ? 1 : 0);
      superseded = *oldest;
      pending_.erase(oldest);
    }
    registry_.set(Id::kUploadsPending, static_cast<double>(pending_.size()));
  }
  upload_wanted_.notify_all();
  if (!superseded.empty()) {
    registry_.add(Id::kSnapshotFailures, 1, {"object", "superseded"});
    log(LogLevel::kWarning,
        "superseded",
        fmt::format(
            "snapshot {} is not uploaded: {} newer ones wait",
            superseded,
            options_.max_pending));
  }
}

std::optional<std::string> SnapshotKeeper::next_upload(
    const std::stop_token& stop) {
  const MutexLock lock(mutex_);
  const bool there =
      upload_wanted_.wait(mutex_, stop, [this]() SWAVD_REQUIRES(mutex_) {
        return !pending_.empty();
      });
  if (!there || stop.stop_requested()) {
    return std::nullopt;
  }
  uploading_ = true;
  return pending_.front();
}

void SnapshotKeeper::upload_ended(
    const std::string& id,
    const Status& outcome) {
  // Of a snapshot that is gone or damaged here nothing better comes.
  const bool hopeless =
      !outcome.ok() && (outcome.error().code == ErrorCode::kFenced ||
                        outcome.error().code == ErrorCode::kNotFound ||
                        outcome.error().code == ErrorCode::kCorruption);
  if (!outcome.ok()) {
    failed("object", outcome.error().with_context("upload " + id));
    if (outcome.error().code == ErrorCode::kFenced) {
      set_fatal(outcome.error());
    }
  }
  {
    const MutexLock lock(mutex_);
    uploading_ = false;
    if (outcome.ok() || hopeless) {
      pending_.pop_front();
    }
    registry_.set(Id::kUploadsPending, static_cast<double>(pending_.size()));
  }
  changed_.notify_all();
}

void SnapshotKeeper::upload_loop(const std::stop_token& stop) {
  milliseconds pause = kUploadRetryFirst;
  while (const auto id = next_upload(stop)) {
    const Status uploaded = upload(*id);
    upload_ended(*id, uploaded);
    if (uploaded.ok() || fatal()) {
      pause = kUploadRetryFirst;
      continue;
    }
    // Wakes early when the keeper goes away. Meanwhile a newer snapshot may
    // take this one's place.
    const MutexLock lock(mutex_);
    std::condition_variable_any retry;
    (void)retry.wait_for(mutex_, stop, pause, [] { return false; });
    pause = std::min(2 * pause, kUploadRetryCap);
  }
}

bool SnapshotKeeper::upload_one() {
  std::string id;
  {
    const MutexLock lock(mutex_);
    if (pending_.empty()) {
      return false;
    }
    uploading_ = true;
    id = pending_.front();
  }
  upload_ended(id, upload(id));
  return true;
}

Status SnapshotKeeper::upload(const std::string& id) {
  SWAVD_RETURN_IF_ERROR(options_.may_commit());
  registry_.add(Id::kSnapshotAttempts, 1, {"object"});
  const auto start = clock_.steady();
  auto catalog = options_.open_catalog();
  if (!catalog.ok()) {
    return catalog.error();
  }
  auto reader = catalog.value()->open(id);
  if (!reader.ok()) {
    return reader.error();
  }
  SWAVD_RETURN_IF_ERROR(remote_->upload(*reader.value()));
  registry_.observe(
      Id::kSnapshotDuration, seconds_since(clock_, start), {"object"});
  registry_.set(
      Id::kSnapshotLast,
      static_cast<double>(clock_.unix_ms()) / 1000.0,
      {"object"});
  registry_.set(
      Id::kSnapshotLastStep,
      static_cast<double>(reader.value()->manifest().step),
      {"object"});
  registry_.set(
      Id::kSnapshotBytes,
      static_cast<double>(total_bytes(reader.value()->manifest())),
      {"object"});
  drop_remote();
  sweep_remote(reader.value()->manifest().generation);
  return ok_status();
}

void SnapshotKeeper::sweep_remote(std::uint64_t generation) {
  std::set<std::string> pending;
  {
    const MutexLock lock(mutex_);
    pending.insert(pending_.begin(), pending_.end());
  }
  const auto swept = remote_->sweep(generation, pending);
  if (!swept.ok()) {
    failed("object", swept.error().with_context("sweep"));
  } else if (swept.value() > 0) {
    log(LogLevel::kInfo,
        "interrupted_uploads_removed",
        fmt::format("{} uploads that were never complete", swept.value()));
  }
}

void SnapshotKeeper::drop_remote() {
  auto list = remote_->list();
  if (!list.ok()) {
    failed("object", list.error().with_context("retention"));
    return;
  }
  scheduler::RetentionOptions keep;
  {
    const MutexLock lock(mutex_);
    keep = remote_retention_;
  }
  const auto pins = remote_->pinned();
  if (!pins.ok()) {
    failed("object", pins.error().with_context("retention"));
    return;
  }
  std::size_t dropped = 0;
  for (const std::string& id : superfluous(
           keep, list.value(), {pins.value().begin(), pins.value().end()})) {
    const auto drop = remote_->drop(id);
    if (pinned_meanwhile(drop)) {
      continue;
    }
    if (!drop.ok()) {
      failed("object", drop.error().with_context("drop " + id));
      return;
    }
    ++dropped;
  }
  registry_.set(
      Id::kSnapshotRetained,
      static_cast<double>(list.value().size() - dropped),
      {"object"});
}

}  // namespace swavd::daemon
