#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/position.h"
#include "ingest/sink.h"
#include "metrics/registry.h"
#include "ops/base/bounded_queue.h"
#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/base/stage.h"
#include "ops/daemon/snapshot_taker.h"
#include "scheduler/snapshots.h"
#include "state/object_store.h"
#include "state/snapshot_store.h"

namespace swavd::daemon {

/// A snapshot that is durable now.
struct DurableSnapshot {
  std::string id;
  std::uint64_t commit = 0;
  std::uint64_t step = 0;
  std::int64_t created_ms = 0;
  std::vector<ingest::Position> positions;
};

struct KeeperOptions {
  scheduler::RetentionOptions retention;
  std::string run = "main";
  std::string local_folder;       ///< read by the uploader
  std::int64_t upload_every = 1;  ///< commits
  scheduler::RetentionOptions remote_retention;
  /// Snapshots that wait for their upload, at least 2. One more takes the
  /// place of the oldest: the newest counts, and the disk is bounded.
  std::int64_t max_pending = 8;
  /// Ids that wait from the start, oldest first.
  std::vector<std::string> pending;
  std::uint64_t write_rate = 0;  ///< bytes per second of a commit; 0: no limit
  std::uint64_t next_commit = 1;
  std::string parent;  ///< id of the snapshot the run continues from
  /// Asked before each commit and upload; an error ends the process.
  std::function<Status()> may_commit = [] { return ok_status(); };
  /// Where the uploader reads; empty: `local_folder`.
  std::function<Result<std::unique_ptr<state::SnapshotCatalog>>()> open_catalog;
  /// False: no threads; `commit_one` and `upload_one` do the work when they
  /// are called. For a simulation on one thread.
  bool threads = true;
};

/// Writes snapshots on one thread and uploads them on another, so that the
/// training thread only ever copies memory. All system calls of a commit
/// happen on the thread "snapshot-commit".
class SnapshotKeeper final : public SnapshotTaker {
 public:
  /// `store` must outlive the keeper. `dead_letters` may be nullptr: else a
  /// commit waits until the dead letters before it are acknowledged.
  /// `remote` may be nullptr. `on_durable` runs on the commit thread.
  SnapshotKeeper(
      const Clock& clock,
      metrics::Registry& registry,
      state::SnapshotStore& store,
      ingest::Sink* dead_letters,
      state::RemoteRun* remote,
      KeeperOptions options,
      std::function<void(const DurableSnapshot&)> on_durable);
  ~SnapshotKeeper() override;

  /// Is the commit thread free?
  [[nodiscard]] bool idle() const override;

  void submit(SnapshotJob job) override;

  /// The job is written at full speed while somebody waits.
  void wait_idle() override;

  [[nodiscard]] bool wait_uploaded(std::chrono::milliseconds timeout) override;

  /// A commit of unknown outcome, or a lost race for the run (kFenced).
  [[nodiscard]] std::optional<Error> fatal() const override;

  /// Without threads: takes one job, or tries one upload. False: none waits.
  bool commit_one();
  bool upload_one();

  void set_retention(
      const scheduler::RetentionOptions& local,
      const scheduler::RetentionOptions& remote);
  void set_write_rate(std::uint64_t bytes_per_second);

 private:
  void commit_loop();
  void finish(SnapshotJob job);
  void upload_loop(const std::stop_token& stop);
  /// The oldest that waits, once there is one; nullopt: told to stop. It
  /// cannot be superseded until `upload_ended`.
  [[nodiscard]] std::optional<std::string> next_upload(
      const std::stop_token& stop);
  void upload_ended(const std::string& id, const Status& outcome);
  void want_upload(const std::string& id);
  void commit(SnapshotJob job);
  /// Holds a commit that begins now to the write rate.
  [[nodiscard]] state::CommitOptions paced_from(
      std::chrono::steady_clock::time_point start);
  /// Blocks until `due`, or until somebody waits for the commit.
  void wait_for_pace(std::chrono::steady_clock::time_point due);
  void failed(const char* tier, const Error& error);
  void apply_retention();
  [[nodiscard]] Status upload(const std::string& id);
  void drop_remote();
  /// Clears away what earlier owners' interrupted uploads left.
  void sweep_remote(std::uint64_t generation);
  void set_fatal(Error error);

  const Clock& clock_;
  metrics::Registry& registry_;
  state::SnapshotStore& store_;
  ingest::Sink* dead_letters_;
  state::RemoteRun* remote_;
  KeeperOptions options_;
  const std::function<void(const DurableSnapshot&)> on_durable_;

  BoundedQueue<SnapshotJob> jobs_{1};
  mutable Mutex mutex_;
  CondVar changed_;
  bool busy_ SWAVD_GUARDED_BY(mutex_) = false;
  int waiting_ SWAVD_GUARDED_BY(mutex_) = 0;  ///< in `wait_idle`
  std::uint64_t write_rate_ SWAVD_GUARDED_BY(mutex_) = 0;
  /// Oldest first; in front of the others the one under way, if `uploading_`.
  std::deque<std::string> pending_ SWAVD_GUARDED_BY(mutex_);
  bool uploading_ SWAVD_GUARDED_BY(mutex_) = false;
  std::condition_variable_any upload_wanted_;
  std::optional<Error> fatal_ SWAVD_GUARDED_BY(mutex_);
  scheduler::RetentionOptions retention_ SWAVD_GUARDED_BY(mutex_);
  scheduler::RetentionOptions remote_retention_ SWAVD_GUARDED_BY(mutex_);
  std::optional<Stage> committer_;
  std::optional<Stage> uploader_;
};

}  // namespace swavd::daemon
