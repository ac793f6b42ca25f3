#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "ingest/position.h"
#include "ops/base/result.h"
#include "state/frozen_state.h"
#include "state/manifest.h"

namespace swavd::daemon {

/// A frozen state on its way to the disk.
struct SnapshotJob {
  state::Manifest manifest;  ///< commit and parent are filled in by the taker
  state::FrozenState state;
  std::vector<ingest::Position> positions;
  std::chrono::steady_clock::time_point frozen_at;
};

/// Where the training loop's frozen states go. The loop's thread calls it.
class SnapshotTaker {
 public:
  SnapshotTaker() = default;
  SnapshotTaker(const SnapshotTaker&) = delete;
  SnapshotTaker& operator=(const SnapshotTaker&) = delete;
  virtual ~SnapshotTaker() = default;

  /// Can a job be taken? If not, a freeze that is due is postponed.
  [[nodiscard]] virtual bool idle() const = 0;

  /// Hands a job over; call only when `idle`.
  virtual void submit(SnapshotJob job) = 0;

  /// Waits until the last submitted job is durable or has failed.
  virtual void wait_idle() = 0;

  /// Waits until all uploads are done or `timeout` has passed.
  [[nodiscard]] virtual bool wait_uploaded(
      std::chrono::milliseconds timeout) = 0;

  /// The error that must end the process, if one happened.
  [[nodiscard]] virtual std::optional<Error> fatal() const = 0;
};

}  // namespace swavd::daemon
