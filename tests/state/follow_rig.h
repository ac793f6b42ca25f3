#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "ops/base/bounded_queue.h"
#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/base/stage.h"
#include "state/object_store.h"
#include "state/snapshot_follow.h"
#include "tests/state/sample.h"

namespace swavd::state {

/// Writes snapshots into an object store as the daemon does.
class RunWriter {
 public:
  explicit RunWriter(ObjectStore& store)
      : run_(open_remote_run(store, "main")) {
    auto local = open_local_store(small_store(folder_ / "snapshots"));
    SWAVD_CHECK(local.ok());
    local_ = std::move(local).value();
  }

  /// Commits and uploads number `commit`, whose largest file has about
  /// `bytes`; gives the id.
  std::string write(
      std::uint64_t commit,
      const std::string& verdict = "healthy",
      std::size_t bytes = 1000) {
    Manifest manifest = sample_manifest(commit);
    manifest.health.verdict = verdict;
    const auto id =
        local_->commit(manifest, sample_state(commit * 10, commit, bytes));
    SWAVD_CHECK(id.ok());
    const auto reader = local_->open(id.value());
    SWAVD_CHECK(reader.ok());
    const Status uploaded = run_->upload(*reader.value());
    SWAVD_CHECK(uploaded.ok());
    SWAVD_CHECK(local_->drop(id.value()).ok());
    return id.value();
  }

  RemoteRun& run() { return *run_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<SnapshotStore> local_;
  std::unique_ptr<RemoteRun> run_;
};

/// A follower on a thread of its own; what it says comes out of queues.
class RunningFollower {
 public:
  RunningFollower(
      std::string ref,
      std::string folder,
      const FollowOptions& options)
      : stage_(
            "follow",
            [this, ref = std::move(ref), folder = std::move(folder), options](
                const std::stop_token& stop) {
              FollowEvents events;
              events.switched = [this](const FollowSwitch& made) {
                (void)switches.push(made);
              };
              events.trouble =
                  [this](std::string_view reason, const std::string& message) {
                    std::string line = std::string(reason) + ": " + message;
                    (void)troubles.try_push(line);
                  };
              events.looked = [this] {
                const MutexLock lock(mutex_);
                ++looks_;
                looked_.notify_all();
              };
              totals_ = follow(clock_, ref, folder, options, events, stop);
              switches.close();
              troubles.close();
            }) {}

  /// Asks it to stop and waits.
  Result<FollowTotals> stop() {
    stage_.request_stop();
    stage_.join();
    return totals_;
  }

  /// Waits until it has looked `count` times more and found all well.
  void wait_for_looks(std::uint64_t count) {
    const MutexLock lock(mutex_);
    const std::uint64_t until = looks_ + count;
    looked_.wait(mutex_, [&] { return looks_ >= until; });
  }

  /// Waits until it ends by itself.
  Result<FollowTotals> join() {
    stage_.join();
    return totals_;
  }

  BoundedQueue<FollowSwitch> switches{4096};
  BoundedQueue<std::string> troubles{4096};

 private:
  SystemClock clock_;
  Result<FollowTotals> totals_ = FollowTotals{};
  Mutex mutex_;
  CondVar looked_;
  std::uint64_t looks_ SWAVD_GUARDED_BY(mutex_) = 0;
  Stage stage_;
};

/// Options for tests: looks all the time.
inline FollowOptions eager() {
  FollowOptions options;
  options.every = std::chrono::milliseconds(1);
  options.longest_pause = std::chrono::milliseconds(2);
  return options;
}

}  // namespace swavd::state
