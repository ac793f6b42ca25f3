#include "state/snapshot_ref.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "state/content/snapshot_content.h"
#include "state/directory/directory_object_store.h"
#include "state/directory/snapshot_folder.h"
#include "state/object_store.h"

namespace swavd::state {

namespace {

constexpr std::string_view kFileScheme = "file://";
constexpr std::string_view kIdCharacters = "0123456789abcdef-";

/// A run of an object store together with the store it lies in.
class OwnedRun final : public SnapshotCatalog {
 public:
  OwnedRun(std::unique_ptr<ObjectStore> store, const std::string& run)
      : store_(std::move(store)),
        run_(open_remote_run(*store_, run)) {}

  [[nodiscard]] Result<std::vector<SnapshotInfo>> list() override {
    return run_->list();
  }

  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> open(
      const std::string& id) override {
    return run_->open(id);
  }

  [[nodiscard]] Result<std::optional<LatestSnapshots>> poll_latest() override {
    return run_->poll_latest();
  }

  [[nodiscard]] Status set_pinned(const std::string& id, bool pinned) override {
    return run_->set_pinned(id, pinned);
  }

  [[nodiscard]] Result<std::vector<std::string>> pinned() override {
    return run_->pinned();
  }

 private:
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<RemoteRun> run_;
};

/// The runs that have at least one lineage entry; "" when the store is opened
/// at a run itself.
Result<std::set<std::string>> runs_in(ObjectStore& store) {
  constexpr std::string_view kLineageFolder = "lineage/";
  const auto here = store.list(std::string(kLineageFolder));
  if (!here.ok()) {
    return here.error();
  }
  if (!here.value().empty()) {
    return std::set<std::string>{""};
  }
  const auto all = store.list("");
  if (!all.ok()) {
    return all.error();
  }
  std::set<std::string> runs;
  for (const ObjectInfo& object : all.value()) {
    const std::size_t at = object.key.find(fmt::format("/{}", kLineageFolder));
    if (at != std::string::npos) {
      runs.insert(object.key.substr(0, at));
    }
  }
  return runs;
}

}  // namespace

Result<std::string> only_run_in(ObjectStore& store, const std::string& place) {
  const auto runs = runs_in(store);
  if (!runs.ok()) {
    return runs.error().with_context(place);
  }
  if (runs.value().empty()) {
    return Error{
        ErrorCode::kNotFound,
        fmt::format(
            "no snapshots at {}: neither a data folder (snapshots/db), nor a "
            "run of an object store (lineage/), nor a snapshot "
            "(manifest.json)",
            place)};
  }
  if (runs.value().size() > 1) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} holds several runs; name one of {}",
            place,
            fmt::join(runs.value(), ", "))};
  }
  return *runs.value().begin();
}

namespace {

Result<std::unique_ptr<SnapshotCatalog>> open_run(
    std::unique_ptr<ObjectStore> store,
    const std::string& place) {
  const auto run = only_run_in(*store, place);
  if (!run.ok()) {
    return run.error();
  }
  return std::unique_ptr<SnapshotCatalog>(
      std::make_unique<OwnedRun>(std::move(store), run.value()));
}

Result<std::unique_ptr<SnapshotCatalog>> open_path(
    const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path / kManifestFile, error)) {
    return open_snapshot_folder(path);
  }
  // What a follower keeps: the link is resolved once, so that a switch in the
  // middle of reading does not mix two snapshots.
  const auto current = std::filesystem::canonical(path / kCurrentLink, error);
  if (!error && std::filesystem::exists(current / kManifestFile, error)) {
    return open_snapshot_folder(current);
  }
  // A data folder, or the store's own folder in it.
  for (const auto& folder : {path / "snapshots", path}) {
    if (std::filesystem::exists(folder / "db" / "CURRENT", error)) {
      return open_local_catalog(folder.string());
    }
  }
  if (!std::filesystem::is_directory(path, error)) {
    return Error{
        ErrorCode::kNotFound, fmt::format("no folder {}", path.string())};
  }
  return open_run(std::make_unique<DirectoryObjectStore>(path), path.string());
}

std::vector<std::string> ids_where(
    const std::vector<SnapshotInfo>& list,
    const std::function<bool(const SnapshotInfo&)>& fits) {
  std::vector<std::string> ids;
  for (const SnapshotInfo& info : list) {
    if (fits(info)) {
      ids.push_back(info.id);
    }
  }
  return ids;
}

Result<std::string> newest_of(const std::vector<SnapshotInfo>& list) {
  const LatestSnapshots latest = latest_of(list);
  if (!latest.healthy.empty()) {
    return latest.healthy;
  }
  if (!latest.newest.empty()) {
    return latest.newest;
  }
  return Error{
      ErrorCode::kNotFound,
      fmt::format("none of {} snapshots can be read", list.size())};
}

}  // namespace

SnapshotRef parse_ref(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view id = text.substr(at + 1);
    if (!id.empty() &&
        id.find_first_not_of(kIdCharacters) == std::string_view::npos) {
      return {std::string(text.substr(0, at)), std::string(id)};
    }
  }
  return {std::string(text), {}};
}

Result<std::unique_ptr<SnapshotCatalog>> open_catalog(
    const std::string& place) {
  if (place.starts_with(kFileScheme)) {
    return open_path(place.substr(kFileScheme.size()));
  }
  if (place.find("://") == std::string::npos) {
    return open_path(place);
  }
  auto store = open_object_store(place);
  if (!store.ok()) {
    return store.error();
  }
  return open_run(std::move(store).value(), place);
}

Result<std::string> choose_snapshot(
    const std::vector<SnapshotInfo>& list,
    const std::string& id) {
  if (list.empty()) {
    return Error{ErrorCode::kNotFound, "there is no snapshot yet"};
  }
  if (id.empty()) {
    return newest_of(list);
  }
  auto hits = ids_where(
      list, [&](const SnapshotInfo& info) { return info.id.starts_with(id); });
  if (hits.empty()) {
    hits = ids_where(list, [&](const SnapshotInfo& info) {
      return std::to_string(info.step) == id;
    });
  }
  if (hits.size() == 1) {
    return hits.front();
  }
  return Error{
      ErrorCode::kNotFound,
      hits.empty()
          ? fmt::format("no snapshot {}; the newest is {}", id, list.back().id)
          : fmt::format("{} could be any of {}", id, fmt::join(hits, ", "))};
}

Result<OpenedSnapshot> open_snapshot(std::string_view ref) {
  const SnapshotRef parsed = parse_ref(ref);
  auto catalog = open_catalog(parsed.place);
  if (!catalog.ok()) {
    return catalog.error();
  }
  const auto list = catalog.value()->list();
  if (!list.ok()) {
    return list.error();
  }
  const auto id = choose_snapshot(list.value(), parsed.id);
  if (!id.ok()) {
    return id.error().with_context(parsed.place);
  }
  auto reader = catalog.value()->open(id.value());
  if (!reader.ok()) {
    return reader.error();
  }
  return OpenedSnapshot{std::move(catalog).value(), std::move(reader).value()};
}

}  // namespace swavd::state
