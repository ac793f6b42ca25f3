// The public factories of the local tier.
#include <filesystem>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "state/directory/pin_files.h"
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
        database_(std::move(database)),
        pins_(folder_.parent_path() / kPinsFolder) {}

  [[nodiscard]] Result<std::vector<SnapshotInfo>> list() override {
    const Status current = catch_up();
    if (!current.ok()) {
      return current.error();
    }
    return list_snapshots(*database_);
  }

  [[nodiscard]] Status set_pinned(const std::string& id, bool pinned) override {
    return pins_.set(id, pinned, [&]() -> Status {
      SWAVD_RETURN_IF_ERROR(catch_up());
      const auto info = find_snapshot(*database_, id);
      return info.ok() ? ok_status() : Status(info.error());
    });
  }

  [[nodiscard]] Result<std::vector<std::string>> pinned() override {
    return pins_.list();
  }

  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> open(
      const std::string& id) override {
    return read_snapshot(database_, id);
  }

 private:
  Status catch_up() {
    if (!database_->catch_up().ok()) {
      // The writer has replaced files under the tail that was followed (it
      // was restarted, say): begin again from what is there now.
      auto again = Database::open_secondary(folder_);
      if (!again.ok()) {
        return again.error();
      }
      database_ = std::move(again).value();
    }
    return ok_status();
  }

  std::filesystem::path folder_;
  std::shared_ptr<Database> database_;
  PinFiles pins_;
};

}  // namespace

Result<std::unique_ptr<SnapshotStore>> open_local_store(
    const LocalStoreOptions& options) {
  return RocksSnapshotStore::open(options);
}

Result<std::unique_ptr<SnapshotStore>> reopen_local_store(
    const std::string& folder) {
  LocalStoreOptions options{folder};
  std::error_code none;
  const std::uint64_t ballast = std::filesystem::file_size(
      std::filesystem::path(folder) / kBallastFile, none);
  if (!none && ballast > kBallastMargin) {
    options.reserve_bytes = ballast - kBallastMargin;
  }
  return open_local_store(options);
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
