#include "ops/daemon/branch_folder.h"

#include <utility>

#include "state/snapshot_ref.h"

namespace swavd::daemon {

BranchFolder::BranchFolder(
    StatusBoard& board,
    std::string folder,
    BranchMark mark)
    : board_(board),
      folder_(std::move(folder)),
      mark_(std::move(mark)) {}

void BranchFolder::submit(SnapshotJob job) {
  job.manifest.parent = mark_.parent;
  job.manifest.commit = mark_.commit;
  job.manifest.branch_json = mark_.json;
  const auto id =
      state::write_snapshot_folder(job.manifest, job.state, folder_);
  if (!id.ok()) {
    fatal_ = id.error().with_context("write the snapshot");
    return;
  }
  board_.snapshot_durable(
      {id.value(), job.state.step, job.manifest.created_ms}, job.positions);
}

}  // namespace swavd::daemon
