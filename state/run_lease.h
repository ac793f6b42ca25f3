#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ops/base/clock.h"
#include "ops/base/result.h"
#include "state/object_store.h"
#include "state/run_record.h"
#include "state/snapshot_store.h"

namespace swavd::state {

struct LeaseOptions {
  std::string run = "main";  ///< prefix of its keys; empty: none
  /// URL of the remote tier, for the record; empty: as it was.
  std::string object_store;
  RunOwner me;
  /// Without a sign of life for so long an owner has lost the run; 0: what
  /// the owner's record says.
  std::chrono::milliseconds expiry{60'000};
  /// Between two looks at another owner's record.
  std::chrono::milliseconds look_every{5'000};
  /// Takes the run from an owner that may be alive.
  bool take_over = false;
};

/// The right to write a run. It is held by whoever wrote the run's record
/// last: each write is conditional on the one before, so an owner that was
/// replaced learns it at its next renewal. Not thread-safe.
class RunLease {
 public:
  /// `local`: this machine's store, whose lock its holder has; `objects`: the
  /// remote tier. Either may be nullptr, not both; both outlive the lease.
  RunLease(
      SnapshotStore* local,
      ObjectStore* objects,
      const Clock& clock,
      LeaseOptions options);

  /// Takes the next generation: above `floor`, above what either tier knows;
  /// written (synced) to both. With `bend` the run continues from there; its
  /// generation is filled in.
  ///
  /// An owner that ended, or whose last life was in this very data folder, is
  /// followed at once. Another one is watched for its expiry, by this
  /// machine's monotonic clock alone: only when its record has not changed in
  /// all that time the run is taken. `wait` blocks for so long and gives false
  /// to give up.
  ///
  /// Errors: kFenced naming the owner that is alive, or was quicker;
  /// kCancelled (`wait`); kCorruption; kUnavailable; those of the stores.
  [[nodiscard]] Result<RunRecord> claim(
      std::uint64_t floor,
      const std::optional<Rollback>& bend,
      const std::function<bool(std::chrono::milliseconds)>& wait);

  /// Shows a sign of life. Errors: kFenced (another owner has the run: stop),
  /// kUnavailable and others (the run is still ours; try again).
  [[nodiscard]] Status renew();

  /// Lets the run go: the next owner need not wait. Errors: as `renew`.
  [[nodiscard]] Status release();

  /// Goes into the record at its next write.
  void set_newest(const std::string& id, std::uint64_t commit);

  [[nodiscard]] const RunRecord& record() const { return record_; }

 private:
  struct Found {
    RunRecord record;
    std::string etag;  ///< empty: there is none
  };

  [[nodiscard]] std::string key() const;
  [[nodiscard]] Result<RunRecord> local_record() const;
  [[nodiscard]] Result<Found> remote_record() const;
  [[nodiscard]] Status watch(
      Found& found,
      const std::function<bool(std::chrono::milliseconds)>& wait) const;
  [[nodiscard]] Status note(const RunRecord& record);
  /// Writes `next` over what was written last; a put whose answer got lost is
  /// recognised. kFenced names the other owner.
  [[nodiscard]] Status write(RunRecord next);

  SnapshotStore* local_;
  ObjectStore* objects_;
  const Clock& clock_;
  const LeaseOptions options_;
  RunRecord record_;
  std::string etag_;
};

}  // namespace swavd::state
