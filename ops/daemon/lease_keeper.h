#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "metrics/registry.h"
#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/base/result.h"
#include "ops/daemon/status_board.h"
#include "ops/daemon/ticker.h"
#include "state/run_lease.h"

namespace swavd::daemon {

struct LeaseKeeperOptions {
  std::chrono::milliseconds heartbeat{10'000};
  std::chrono::milliseconds expiry{60'000};
  bool remote = false;  ///< false: there is nothing to renew
  /// False: no thread; whoever made the keeper calls `renew`. For a simulation
  /// on one thread.
  bool thread = true;
};

/// Renews the lease from a thread of its own ("run-lease") and knows when it
/// is lost. Thread-safe.
class LeaseKeeper {
 public:
  /// `lease` is claimed already; it and `board` outlive the keeper, and the
  /// lease is the keeper's alone meanwhile.
  LeaseKeeper(
      const Clock& clock,
      metrics::Registry& registry,
      StatusBoard& board,
      state::RunLease& lease,
      LeaseKeeperOptions options);
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;
  ~LeaseKeeper() = default;

  /// kFenced once another owner has the run; never taken back.
  [[nodiscard]] std::optional<Error> lost() const;

  /// To be asked before a commit: renews first when the last renewal is two
  /// heartbeats old, as after a process was stopped for a while. An object
  /// store that does not answer is no reason against a commit. Errors:
  /// kFenced.
  [[nodiscard]] Status confirm();

  /// The newest durable snapshot; the record names it from the next renewal.
  void committed(const std::string& id, std::uint64_t commit);

  /// One sign of life, unless the run is lost. The thread calls it.
  void renew();

  /// Lets the run go. A failure is logged: the next owner waits the expiry.
  void release();

 private:
  void beat() SWAVD_REQUIRES(lease_mutex_);
  void show(LeaseState state) SWAVD_REQUIRES(mutex_);

  const Clock& clock_;
  metrics::Registry& registry_;
  StatusBoard& board_;
  const LeaseKeeperOptions options_;

  Mutex lease_mutex_;  ///< held while the object store is asked
  state::RunLease& lease_ SWAVD_GUARDED_BY(lease_mutex_);
  const std::string owner_;

  mutable Mutex mutex_;
  std::chrono::steady_clock::time_point renewed_ SWAVD_GUARDED_BY(mutex_);
  std::optional<Error> lost_ SWAVD_GUARDED_BY(mutex_);
  std::string newest_id_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t newest_commit_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<Ticker> ticker_;
};

}  // namespace swavd::daemon
