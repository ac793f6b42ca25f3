#include "state/rocks/rocks_snapshot_store.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/convenience.h>

#include "ops/base/log.h"
#include "state/content/snapshot_content.h"
#include "state/rocks/keys.h"
#include "state/rocks/rocks_catalog.h"
#include "state/rocks/sst_snapshot.h"

namespace swavd::state {

namespace {

constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFormat = "swavd-local/1";

rocksdb::WriteOptions synced() {
  rocksdb::WriteOptions options;
  options.sync = true;
  return options;
}

/// Removes what an interrupted commit left. The folder holds nothing else.
Status clear_staging(const std::filesystem::path& staging) {
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(staging, error)) {
    log(LogLevel::kInfo,
        "staging_leftover_removed",
        "an interrupted commit left a file",
        {{"path", entry.path().string()}});
    std::filesystem::remove(entry.path(), error);
    if (error) {
      break;
    }
  }
  if (error) {
    return errno_error(error.value(), "clear", staging);
  }
  return ok_status();
}

/// The table that `error` says RocksDB misses: "<digits>" of "<digits>.ldb" or
/// "<digits>.sst"; empty when it is about something else.
std::string missing_table(const Error& error) {
  const std::size_t reason = error.message.rfind(": No such file");
  if (error.code != ErrorCode::kCorruption || reason == std::string::npos) {
    return "";
  }
  const std::size_t name = error.message.rfind('/', reason) + 1;
  const std::string file = error.message.substr(name, reason - name);
  const std::size_t digits = file.find_first_not_of("0123456789");
  const bool table =
      digits != std::string::npos && digits > 0 &&
      (file.substr(digits) == ".ldb" || file.substr(digits) == ".sst");
  return table ? file.substr(0, digits) : "";
}

/// Opens the database. When the last sync of a commit fails, its entry may
/// stand in RocksDB's MANIFEST although RocksDB has taken the table away
/// again: the table then still lies in the staging folder, synced, and goes
/// back under the name that is missed. RocksDB compares its size.
Result<std::shared_ptr<Database>> open_database(
    const std::filesystem::path& folder) {
  const std::filesystem::path files = folder / kDatabaseFolder;
  auto database = Database::open_primary(files);
  if (database.ok()) {
    return database;
  }
  const std::string missing = missing_table(database.error());
  std::error_code error;
  const std::filesystem::directory_iterator staged(
      folder / kStagingFolder, error);
  if (missing.empty() || error || staged == end(staged)) {
    return database;
  }
  const std::filesystem::path table = files / (missing + ".sst");
  std::filesystem::create_hard_link(staged->path(), table, error);
  if (error) {
    return database;
  }
  SWAVD_RETURN_IF_ERROR(sync_folder(files));
  auto again = Database::open_primary(files);
  if (again.ok()) {
    log(LogLevel::kWarning,
        "commit_completed",
        "the last sync of a commit had failed; its snapshot is whole and stays",
        {{"path", table.string()}});
    return again;
  }
  std::filesystem::remove(table, error);
  return database;
}

/// kExhausted unless `bytes` and the reserve are free.
Status need_room(const LocalStoreOptions& options, std::uint64_t bytes) {
  const auto free = free_bytes(options.folder);
  if (!free.ok()) {
    return free.error();
  }
  if (free.value() < bytes + options.reserve_bytes) {
    return Error{
        ErrorCode::kExhausted,
        fmt::format(
            "{} has {} bytes free, {} are needed ({} of them as reserve): "
            "make room or lower the retention",
            options.folder,
            free.value(),
            bytes + options.reserve_bytes,
            options.reserve_bytes)};
  }
  return ok_status();
}

}  // namespace

RocksSnapshotStore::RocksSnapshotStore(
    LocalStoreOptions options,
    FileLock lock,
    std::shared_ptr<Database> database,
    Ballast ballast)
    : options_(std::move(options)),
      folder_(options_.folder),
      lock_(std::move(lock)),
      database_(std::move(database)),
      ballast_(std::move(ballast)),
      pins_(folder_ / kPinsFolder) {}

Result<std::unique_ptr<SnapshotStore>> RocksSnapshotStore::open(
    const LocalStoreOptions& options) {
  const std::filesystem::path folder(options.folder);
  SWAVD_RETURN_IF_ERROR(make_folders(folder / kStagingFolder));
  auto lock = FileLock::acquire(folder / "writer.lock");
  if (!lock.ok()) {
    return lock.error();
  }
  Ballast ballast(
      folder / kBallastFile, options.reserve_bytes + kBallastMargin);
  if (!need_room(options, 0).ok()) {
    // Even opening writes: a new MANIFEST, and what the log still holds.
    SWAVD_RETURN_IF_ERROR(ballast.give_up());
  }
  // Not left to RocksDB, which calls a folder that is not there yet an error,
  // and does not sync the one it is made in.
  SWAVD_RETURN_IF_ERROR(make_folders(folder / kDatabaseFolder));
  SWAVD_RETURN_IF_ERROR(sync_folder(folder));
  auto database = open_database(folder);
  if (!database.ok()) {
    return database.error();
  }
  SWAVD_RETURN_IF_ERROR(clear_staging(folder / kStagingFolder));
  std::unique_ptr<RocksSnapshotStore> store(new RocksSnapshotStore(
      options,
      std::move(lock).value(),
      std::move(database).value(),
      std::move(ballast)));
  SWAVD_RETURN_IF_ERROR(store->check_format());
  SWAVD_RETURN_IF_ERROR(store->pins_.prepare());
  SWAVD_RETURN_IF_ERROR(store->take_ballast());
  return std::unique_ptr<SnapshotStore>(std::move(store));
}

Result<std::vector<SnapshotInfo>> RocksSnapshotStore::list() {
  return list_snapshots(*database_);
}

Result<std::unique_ptr<SnapshotReader>> RocksSnapshotStore::open(
    const std::string& id) {
  return read_snapshot(database_, id);
}

Result<std::string> RocksSnapshotStore::commit(
    Manifest manifest,
    const FrozenState& state,
    const CommitOptions& options) {
  SWAVD_RETURN_IF_ERROR(still_sound());
  const auto content = content_of(manifest, state);
  if (!content.ok()) {
    return content.error();
  }
  SWAVD_RETURN_IF_ERROR(check_number(manifest));
  SWAVD_RETURN_IF_ERROR(
      need_room(options_, sst_bytes(content.value(), manifest)));
  const std::filesystem::path table =
      folder_ / kStagingFolder / fmt::format("{:012}.sst", manifest.commit);
  auto written = write_sst_snapshot(
      table, content.value(), std::move(manifest), options.written);
  Status ready =
      written.ok() ? need_room(options_, 0) : Status(written.error());
  if (!ready.ok()) {
    std::error_code ignored;
    std::filesystem::remove(table, ignored);
    // Full before anything was published: the one outcome that is known.
    return ready.error().code == ErrorCode::kExhausted ? ready.error()
                                                       : broken(ready.error());
  }
  SWAVD_RETURN_IF_ERROR(publish(table));
  return std::move(written).value().id;
}

Status RocksSnapshotStore::publish(const std::filesystem::path& table) {
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  // A copy would need the room twice, unasked.
  options.failed_move_fall_back_to_copy = false;
  options.write_global_seqno = false;
  const rocksdb::Status status = database_->db().IngestExternalFile(
      database_->snapshots(), {table.string()}, options);
  if (!status.ok()) {
    return broken(rocks_error(status, "publish " + table.string()));
  }
  return ok_status();
}

Status RocksSnapshotStore::drop(const std::string& id) {
  SWAVD_RETURN_IF_ERROR(still_sound());
  const auto info = find_snapshot(*database_, id);
  if (!info.ok()) {
    return info.error();
  }
  if (!need_room(options_, 0).ok()) {
    log(LogLevel::kWarning,
        "ballast_given_up",
        "the disk is full: its room serves to drop a snapshot",
        {{"folder", options_.folder}, {"id", id}});
    SWAVD_RETURN_IF_ERROR(ballast_.give_up());
  }
  SWAVD_RETURN_IF_ERROR(need_room(options_, 0));
  SWAVD_RETURN_IF_ERROR(pins_.unless_pinned(
      id, [&] { return delete_commit(info.value().commit); }));
  return take_ballast();
}

Status RocksSnapshotStore::delete_commit(std::uint64_t commit) {
  const std::string first = commit_prefix(commit);
  const std::string end = commit_end(commit);
  const rocksdb::Slice from(first);
  const rocksdb::Slice to(end);
  rocksdb::Status status = rocksdb::DeleteFilesInRange(
      &database_->db(),
      database_->snapshots(),
      &from,
      &to,
      /*include_end=*/false);
  if (status.ok()) {
    // For what lies in a table together with other snapshots. Where the table
    // went as a whole, nothing is left and no tombstone is needed.
    rocksdb::ReadOptions within;
    within.iterate_upper_bound = &to;
    const std::unique_ptr<rocksdb::Iterator> rest(
        database_->db().NewIterator(within, database_->snapshots()));
    rest->Seek(from);
    status = rest->status();
    if (status.ok() && rest->Valid()) {
      status = database_->db().DeleteRange(
          synced(), database_->snapshots(), from, to);
    }
  }
  if (!status.ok()) {
    return broken(rocks_error(status, fmt::format("drop commit {}", commit)));
  }
  return ok_status();
}

Status RocksSnapshotStore::set_pinned(const std::string& id, bool pinned) {
  return pins_.set(id, pinned, [&]() -> Status {
    const auto info = find_snapshot(*database_, id);
    return info.ok() ? ok_status() : Status(info.error());
  });
}

Result<std::vector<std::string>> RocksSnapshotStore::pinned() {
  return pins_.list();
}

Result<std::string> RocksSnapshotStore::read_note(const std::string& name) {
  return state::read_note(*database_, name);
}

Status RocksSnapshotStore::write_note(
    const std::string& name,
    const std::string& text) {
  SWAVD_RETURN_IF_ERROR(still_sound());
  SWAVD_RETURN_IF_ERROR(need_room(options_, 0));
  const rocksdb::Status status = database_->db().Put(
      synced(), database_->settings(), note_key(name), text);
  if (!status.ok()) {
    return broken(rocks_error(status, "write the note " + name));
  }
  return ok_status();
}

Status RocksSnapshotStore::check_format() {
  std::string found;
  const rocksdb::Status status = database_->db().Get(
      {}, database_->settings(), rocksdb::Slice(kFormatKey), &found);
  if (status.ok() && found != kFormat) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{} has format {}; this version reads {}",
            options_.folder,
            found,
            kFormat)};
  }
  if (status.ok()) {
    return ok_status();
  }
  if (!status.IsNotFound()) {
    return rocks_error(status, "read the format of " + options_.folder);
  }
  SWAVD_RETURN_IF_ERROR(need_room(options_, 0));
  const rocksdb::Status put = database_->db().Put(
      synced(),
      database_->settings(),
      rocksdb::Slice(kFormatKey),
      rocksdb::Slice(kFormat));
  return put.ok() ? ok_status()
                  : Status(rocks_error(put, "write " + options_.folder));
}

Status RocksSnapshotStore::check_number(const Manifest& manifest) {
  const auto list = list_snapshots(*database_);
  if (!list.ok()) {
    return list.error();
  }
  for (const SnapshotInfo& info : list.value()) {
    if (info.commit == manifest.commit &&
        info.generation >= manifest.generation) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format(
              "commit {} exists already: {} of generation {}",
              info.commit,
              info.id,
              info.generation)};
    }
  }
  return ok_status();
}

Status RocksSnapshotStore::take_ballast() {
  const auto taken = ballast_.take(options_.reserve_bytes);
  if (!taken.ok()) {
    return taken.error();
  }
  if (!taken.value()) {
    log(LogLevel::kWarning,
        "ballast_missing",
        "no room to set aside for dropping snapshots on a full disk",
        {{"folder", options_.folder}});
  }
  return ok_status();
}

Status RocksSnapshotStore::still_sound() const {
  if (failure_) {
    return failure_->with_context(
        "an earlier write to the local store failed; restart");
  }
  return ok_status();
}

Error RocksSnapshotStore::broken(Error error) {
  // No space, reported by RocksDB half-way, is not the foreseen kind.
  if (error.code == ErrorCode::kExhausted) {
    error.code = ErrorCode::kIo;
  }
  failure_ = error;
  return error;
}

}  // namespace swavd::state
