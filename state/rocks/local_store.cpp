// The public factories of the local tier.
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "state/rocks/database.h"
#include "state/rocks/rocks_catalog.h"
#include "state/rocks/rocks_snapshot_store.h"
#include "state/snapshot_store.h"

namespace swavd::state {

namespace {

/// A local store seen from beside its writer. The view moves at `list`, so
/// that what a listing shows can be opened.
class LocalCatalog final : public SnapshotCatalog {
 public:
  LocalCatalog(std::filesystem::path folder, std::shared_ptr<Database> database)
      : folder_(std::move(folder)),
        database_(std::move(database)) {}

  [[nodiscard]] Result<std::vector<SnapshotInfo>> list() override {
    if (!database_->catch_up().ok()) {
      // The writer has replaced files under the tail that was followed (it
      // was restarted, say): begin again from what is there now.
      auto again = Database::open_secondary(folder_);
      if (!again.ok()) {
        return again.error();
      }
      database_ = std::move(again).value();
    }
    return list_snapshots(*database_);
  }

  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> open(
      const std::string& id) override {
    return read_snapshot(database_, id);
  }

 private:
  std::filesystem::path folder_;
  std::shared_ptr<Database> database_;
};

}  // namespace

Result<std::unique_ptr<SnapshotStore>> open_local_store(
    const LocalStoreOptions& options) {
  return RocksSnapshotStore::open(options);
}

Result<std::unique_ptr<SnapshotCatalog>> open_local_catalog(
    const std::string& folder) {
  const std::filesystem::path database_folder =
      std::filesystem::path(folder) / kDatabaseFolder;
  std::error_code error;
  if (!std::filesystem::exists(database_folder / "CURRENT", error)) {
    return Error{
        ErrorCode::kNotFound,
        fmt::format("no local snapshot store in {}", folder)};
  }
  auto database = Database::open_secondary(database_folder);
  if (!database.ok()) {
    return database.error();
  }
  return std::unique_ptr<SnapshotCatalog>(std::make_unique<LocalCatalog>(
      database_folder, std::move(database).value()));
}

}  // namespace swavd::state
