#include "state/rollback_command.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "state/object_store.h"
#include "state/run_lease.h"
#include "state/run_record.h"
#include "state/snapshot_ref.h"

namespace swavd::state {

namespace {

/// The tiers a rollback writes.
struct RunTiers {
  std::unique_ptr<SnapshotStore> local;
  std::unique_ptr<ObjectStore> objects;
  std::unique_ptr<RemoteRun> remote;
  std::string run;  ///< prefix in `objects`
  std::vector<SnapshotInfo> list;
};

/// The local store's folder that `place` means; empty when it means none.
std::string local_store_at(const std::string& place) {
  std::error_code error;
  const std::filesystem::path path(place);
  for (const auto& folder : {path / "snapshots", path}) {
    if (std::filesystem::exists(folder / "db" / "CURRENT", error)) {
      return folder.string();
    }
  }
  return {};
}

Status open_objects(RunTiers& tiers, const std::string& url) {
  auto objects = open_object_store(url);
  if (!objects.ok()) {
    return objects.error();
  }
  tiers.objects = std::move(objects).value();
  return ok_status();
}

Status open_local_tier(RunTiers& tiers, const std::string& folder) {
  auto local = reopen_local_store(folder);
  if (!local.ok()) {
    return local.error().code == ErrorCode::kUnavailable
               ? Error{
                     ErrorCode::kFenced,
                     fmt::format(
                         "a daemon has this data folder; drain it first, a "
                         "lock cannot be taken over: {}",
                         local.error().message)}
               : local.error();
  }
  tiers.local = std::move(local).value();
  const auto note = tiers.local->read_note(kGenerationNote);
  if (!note.ok()) {
    return note.error();
  }
  const auto record = note.value().empty() ? Result<RunRecord>(RunRecord{})
                                           : parse_run_record(note.value());
  if (!record.ok()) {
    return record.error();
  }
  tiers.run = record.value().run;
  return record.value().object_store.empty()
             ? ok_status()
             : open_objects(tiers, record.value().object_store);
}

Status open_remote_tier(RunTiers& tiers, const std::string& place) {
  const bool path = place.find("://") == std::string::npos;
  SWAVD_RETURN_IF_ERROR(open_objects(
      tiers,
      path ? "file://" + std::filesystem::absolute(place).string() : place));
  auto run = only_run_in(*tiers.objects, place);
  if (!run.ok()) {
    return run.error();
  }
  tiers.run = std::move(run).value();
  return ok_status();
}

Status add_list(RunTiers& tiers, SnapshotCatalog& catalog) {
  auto list = catalog.list();
  if (!list.ok()) {
    return list.error();
  }
  for (SnapshotInfo& info : std::move(list).value()) {
    const bool known = std::any_of(
        tiers.list.begin(), tiers.list.end(), [&](const SnapshotInfo& other) {
          return other.id == info.id;
        });
    if (!known) {
      tiers.list.push_back(std::move(info));
    }
  }
  return ok_status();
}

Result<RunTiers> open_tiers_of(const std::string& place) {
  RunTiers tiers;
  constexpr std::string_view kFileScheme = "file://";
  const std::string path =
      place.starts_with(kFileScheme) ? place.substr(kFileScheme.size()) : place;
  const std::string folder = local_store_at(path);
  SWAVD_RETURN_IF_ERROR(
      folder.empty() ? open_remote_tier(tiers, place)
                     : open_local_tier(tiers, folder));
  if (tiers.local != nullptr) {
    SWAVD_RETURN_IF_ERROR(add_list(tiers, *tiers.local));
  }
  if (tiers.objects != nullptr) {
    tiers.remote = open_remote_run(*tiers.objects, tiers.run);
    SWAVD_RETURN_IF_ERROR(add_list(tiers, *tiers.remote));
  }
  std::stable_sort(
      tiers.list.begin(), tiers.list.end(), [](const auto& a, const auto& b) {
        return std::pair(a.generation, a.commit) <
               std::pair(b.generation, b.commit);
      });
  return tiers;
}

std::string
told(OutputFormat format, const Rollback& bend, const RunTiers& tiers) {
  std::vector<std::string> left;
  for (const SnapshotInfo& info : tiers.list) {
    if (!info.off_line &&
        std::pair(info.generation, info.commit) >
            std::pair(bend.start_generation, bend.start_commit)) {
      left.push_back(info.id);
    }
  }
  if (format == OutputFormat::kJson) {
    return nlohmann::ordered_json{
               {"id", bend.id}, {"generation", bend.generation}, {"left", left}}
               .dump() +
           "\n";
  }
  return fmt::format(
      "the run continues from {} in generation {}; {} later snapshots are "
      "left, readable by their ids\n",
      bend.id,
      bend.generation,
      left.size());
}

}  // namespace

Result<std::string> rollback_command(
    const std::string& ref,
    const Clock& clock,
    const RollbackOptions& options) {
  const SnapshotRef parsed = parse_ref(ref);
  if (parsed.id.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        "name the snapshot to go back to: REF@ID; `swavctl snapshots ls` "
        "lists them"};
  }
  auto tiers = open_tiers_of(parsed.place);
  if (!tiers.ok()) {
    return tiers.error();
  }
  RunTiers& run = tiers.value();
  const auto id = choose_snapshot(run.list, parsed.id);
  if (!id.ok()) {
    return id.error().with_context(parsed.place);
  }
  const auto start = *std::find_if(
      run.list.begin(), run.list.end(), [&](const SnapshotInfo& info) {
        return info.id == id.value();
      });
  LeaseOptions lease_options;
  lease_options.run = run.run;
  lease_options.me = this_process();
  lease_options.expiry = std::chrono::milliseconds(0);  // the owner's counts
  lease_options.look_every = std::chrono::seconds(1);
  lease_options.take_over = options.take_over;
  RunLease lease(
      run.local.get(), run.objects.get(), clock, std::move(lease_options));
  Rollback bend{0, start.id, start.generation, start.commit};
  const auto record =
      lease.claim(run.list.back().generation, bend, options.wait);
  if (!record.ok()) {
    return record.error();
  }
  bend.generation = record.value().generation;
  SWAVD_RETURN_IF_ERROR(lease.release());
  if (run.remote != nullptr) {
    SWAVD_RETURN_IF_ERROR(run.remote->refresh_latest());
  }
  return told(options.format, bend, run);
}

}  // namespace swavd::state
