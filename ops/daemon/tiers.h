#pragma once

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <string>

#include "metrics/registry.h"
#include "ops/base/result.h"
#include "ops/service/config.h"
#include "state/object_store.h"
#include "state/snapshot_store.h"

namespace swavd::daemon {

/// Where snapshots go: the local store, and the remote tier when configured.
struct Tiers {
  std::unique_ptr<state::SnapshotStore> local;
  std::unique_ptr<state::ObjectStore> objects;
  std::unique_ptr<state::RemoteRun> remote;
};

/// How long the object store is waited for: as long as it takes, until the end
/// is told. Thread-safe.
class Patience {
 public:
  void end_in(std::chrono::milliseconds time) {
    end_ = (std::chrono::steady_clock::now() + time).time_since_epoch().count();
  }

  [[nodiscard]] bool ended() const {
    return std::chrono::steady_clock::now().time_since_epoch().count() > end_;
  }

 private:
  std::atomic<std::chrono::steady_clock::rep> end_{
      std::numeric_limits<std::chrono::steady_clock::rep>::max()};
};

/// The folder of the local store.
[[nodiscard]] std::string local_folder(const service::Config& config);

/// Errors: those of `state::open_local_store`.
[[nodiscard]] Result<std::unique_ptr<state::SnapshotStore>> open_local(
    const service::Config& config);

/// Fills in what is remote; nothing without `object_store.url`. `registry` and
/// `patience` must outlive the tiers. Errors: those of
/// `service::open_object_store`.
[[nodiscard]] Status open_remote(
    const service::Config& config,
    metrics::Registry& registry,
    const Patience& patience,
    Tiers& tiers);

}  // namespace swavd::daemon
