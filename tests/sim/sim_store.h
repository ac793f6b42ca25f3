#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "state/snapshot_store.h"
#include "tests/sim/world.h"

namespace swavd::sim {

/// A committed snapshot as it lies on the disk.
struct StoredSnapshot {
  state::Manifest manifest;
  std::string text;
  std::map<std::string, ByteVector> files;
};

/// The disk of one machine: outlives its processes.
struct Disk {
  std::map<std::string, std::shared_ptr<StoredSnapshot>> snapshots;
  std::set<std::string> pins;
  std::map<std::string, std::string> notes;

  /// Flips a byte of the newest snapshot's weights; again mends it.
  std::string flip_newest();
};

/// The local tier over a Disk, for one process: commits may find the disk
/// full, end in an error whose outcome nobody knows, or be the last act.
class SimStore final : public state::SnapshotStore {
 public:
  SimStore(World& world, Disk& disk) : world_(world), disk_(disk) {}

  Result<std::vector<state::SnapshotInfo>> list() override;
  Result<std::unique_ptr<state::SnapshotReader>> open(
      const std::string& id) override;
  Result<std::string> commit(
      state::Manifest manifest,
      const state::FrozenState& state,
      const state::CommitOptions& options) override;
  Status drop(const std::string& id) override;
  Status set_pinned(const std::string& id, bool pinned) override;
  Result<std::vector<std::string>> pinned() override;
  Result<std::string> read_note(const std::string& name) override;
  Status write_note(const std::string& name, const std::string& text) override;

 private:
  void publish(const std::string& id, std::shared_ptr<StoredSnapshot> made);

  World& world_;
  Disk& disk_;
};

}  // namespace swavd::sim
