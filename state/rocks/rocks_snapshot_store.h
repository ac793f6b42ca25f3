#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ops/base/files.h"
#include "ops/base/result.h"
#include "state/directory/pin_files.h"
#include "state/rocks/ballast.h"
#include "state/rocks/database.h"
#include "state/snapshot_store.h"

namespace swavd::state {

inline constexpr const char* kDatabaseFolder = "db";
inline constexpr const char* kStagingFolder = "staging";
inline constexpr const char* kBallastFile = "ballast";
/// More than the reserve, so that giving the ballast up always restores it.
inline constexpr std::uint64_t kBallastMargin = 1U << 20U;

/// The local tier. A snapshot is written beside the database as one table
/// file and published by ingesting it: it moves in by hard link, and the one
/// record in RocksDB's MANIFEST is the commit. Whatever a crash leaves before
/// that record is removed at the next open.
class RocksSnapshotStore final : public SnapshotStore {
 public:
  [[nodiscard]] static Result<std::unique_ptr<SnapshotStore>> open(
      const LocalStoreOptions& options);

  [[nodiscard]] Result<std::vector<SnapshotInfo>> list() override;
  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> open(
      const std::string& id) override;
  [[nodiscard]] Result<std::string> commit(
      Manifest manifest,
      const FrozenState& state,
      const CommitOptions& options) override;
  [[nodiscard]] Status drop(const std::string& id) override;
  [[nodiscard]] Status set_pinned(const std::string& id, bool pinned) override;
  [[nodiscard]] Result<std::vector<std::string>> pinned() override;
  [[nodiscard]] Result<std::string> read_note(const std::string& name) override;
  [[nodiscard]] Status write_note(
      const std::string& name,
      const std::string& text) override;

 private:
  RocksSnapshotStore(
      LocalStoreOptions options,
      FileLock lock,
      std::shared_ptr<Database> database,
      Ballast ballast);

  [[nodiscard]] Status check_format();
  /// kInvalidArgument when the commit number is taken.
  [[nodiscard]] Status check_number(const Manifest& manifest);
  [[nodiscard]] Status publish(const std::filesystem::path& table);
  [[nodiscard]] Status delete_commit(std::uint64_t commit);
  [[nodiscard]] Status take_ballast();
  /// The first failure of unknown outcome, for ever after.
  [[nodiscard]] Status still_sound() const;
  /// Remembers it: the next attempt after a failed sync succeeds wrongly.
  [[nodiscard]] Error broken(Error error);

  LocalStoreOptions options_;
  std::filesystem::path folder_;
  FileLock lock_;
  std::shared_ptr<Database> database_;
  Ballast ballast_;
  PinFiles pins_;
  std::optional<Error> failure_;
};

}  // namespace swavd::state
