#include "ops/daemon/lease_keeper.h"

#include "ops/base/log.h"

namespace swavd::daemon {

namespace {

using metrics::Id;

}  // namespace

LeaseKeeper::LeaseKeeper(
    const Clock& clock,
    metrics::Registry& registry,
    StatusBoard& board,
    state::RunLease& lease,
    LeaseKeeperOptions options)
    : clock_(clock),
      registry_(registry),
      board_(board),
      options_(options),
      lease_(lease),
      owner_(state::to_string(lease.record().owner)),
      renewed_(clock.steady()),
      newest_id_(lease.record().newest_id),
      newest_commit_(lease.record().newest_commit) {
  {
    const MutexLock lock(mutex_);
    show(options_.remote ? LeaseState::kHeld : LeaseState::kLocal);
  }
  if (options_.remote && options_.thread) {
    ticker_ = std::make_unique<Ticker>(
        "run-lease", options_.heartbeat, [this] { renew(); });
  }
}

std::optional<Error> LeaseKeeper::lost() const {
  const MutexLock lock(mutex_);
  return lost_;
}

void LeaseKeeper::show(LeaseState state) {
  board_.set_lease({state, owner_, renewed_, options_.expiry});
}

void LeaseKeeper::renew() {
  if (lost()) {
    return;
  }
  const MutexLock lock(lease_mutex_);
  beat();
}

void LeaseKeeper::beat() {
  {
    const MutexLock lock(mutex_);
    lease_.set_newest(newest_id_, newest_commit_);
  }
  const Status renewed = lease_.renew();
  if (renewed.ok()) {
    registry_.add(Id::kLeaseRenewals, 1, {"ok"});
    registry_.set(
        Id::kLeaseRenewed, static_cast<double>(clock_.unix_ms()) / 1000.0);
    const MutexLock lock(mutex_);
    renewed_ = clock_.steady();
    show(LeaseState::kHeld);
    return;
  }
  const Error& error = renewed.error();
  registry_.add(Id::kLeaseRenewals, 1, {to_string(error.code)});
  log(error.code == ErrorCode::kFenced ? LogLevel::kError : LogLevel::kWarning,
      to_string(error.code),
      "the lease is not renewed: " + error.message);
  if (error.code == ErrorCode::kFenced) {
    const MutexLock lock(mutex_);
    lost_ = error;
    show(LeaseState::kLost);
  }
}

Status LeaseKeeper::confirm() {
  if (options_.remote) {
    bool stale = false;
    {
      const MutexLock lock(mutex_);
      stale = !lost_ && clock_.steady() - renewed_ > 2 * options_.heartbeat;
    }
    if (stale) {
      renew();
    }
  }
  const MutexLock lock(mutex_);
  return lost_ ? Status(*lost_) : ok_status();
}

void LeaseKeeper::committed(const std::string& id, std::uint64_t commit) {
  const MutexLock lock(mutex_);
  newest_id_ = id;
  newest_commit_ = commit;
}

void LeaseKeeper::release() {
  ticker_.reset();
  if (lost()) {
    return;
  }
  const MutexLock lease_lock(lease_mutex_);
  {
    const MutexLock lock(mutex_);
    lease_.set_newest(newest_id_, newest_commit_);
  }
  if (const Status released = lease_.release(); !released.ok()) {
    log(LogLevel::kWarning,
        to_string(released.error().code),
        "the next owner of the run has to wait for the lease to expire: " +
            released.error().message);
  }
}

}  // namespace swavd::daemon
