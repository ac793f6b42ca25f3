#pragma once

#include <optional>
#include <string>

#include "ops/daemon/snapshot_taker.h"
#include "ops/daemon/status_board.h"

namespace swavd::daemon {

/// What the manifest of a branch says of where it left its run.
struct BranchMark {
  std::string parent;  ///< id
  std::uint64_t commit = 0;
  std::string json;  ///< the section `branch`
};

/// Writes the snapshot of a branch into a folder, on the calling thread. A
/// failure is fatal: there is no later snapshot to make up for it.
class BranchFolder final : public SnapshotTaker {
 public:
  /// `board` is told of the snapshot, and outlives this object.
  BranchFolder(StatusBoard& board, std::string folder, BranchMark mark);

  [[nodiscard]] bool idle() const override { return true; }

  void submit(SnapshotJob job) override;

  void wait_idle() override {}

  [[nodiscard]] bool wait_uploaded(std::chrono::milliseconds) override {
    return true;
  }

  [[nodiscard]] std::optional<Error> fatal() const override { return fatal_; }

 private:
  StatusBoard& board_;
  const std::string folder_;
  const BranchMark mark_;
  std::optional<Error> fatal_;
};

}  // namespace swavd::daemon
