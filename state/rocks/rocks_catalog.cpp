#include "state/rocks/rocks_catalog.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/metadata.h>

#include "state/content/snapshot_content.h"
#include "state/content/snapshot_info.h"
#include "state/rocks/keys.h"
#include "state/run_record.h"

namespace swavd::state {

namespace {

rocksdb::ReadOptions read_options() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  options.fill_cache = false;
  return options;
}

/// One snapshot is one table, so the tables' first keys name the commits: a
/// listing touches no block of data but the manifests'.
std::set<std::uint64_t> commits(Database& database) {
  rocksdb::ColumnFamilyMetaData tables;
  database.db().GetColumnFamilyMetaData(database.snapshots(), &tables);
  std::set<std::uint64_t> found;
  for (const auto& level : tables.levels) {
    for (const auto& table : level.files) {
      found.insert(load_u64_be(table.smallestkey));
    }
  }
  return found;
}

/// The manifest's text; kNotFound for a commit that was dropped.
Result<std::string> manifest_text(Database& database, std::uint64_t commit) {
  std::string text;
  const rocksdb::Status status = database.db().Get(
      read_options(), database.snapshots(), manifest_key(commit), &text);
  if (!status.ok()) {
    return rocks_error(status, fmt::format("read the manifest of {}", commit));
  }
  return text;
}

class RocksReader final : public SnapshotReader {
 public:
  RocksReader(
      std::shared_ptr<Database> database,
      std::string id,
      std::string text,
      Manifest manifest)
      : database_(std::move(database)),
        pieces_(database_->db().NewIterator(
            read_options(),
            database_->snapshots())),
        id_(std::move(id)),
        text_(std::move(text)),
        manifest_(std::move(manifest)) {}

  [[nodiscard]] const std::string& id() const override { return id_; }

  [[nodiscard]] const Manifest& manifest() const override { return manifest_; }

  [[nodiscard]] const std::string& manifest_text() const override {
    return text_;
  }

  [[nodiscard]] Status read(
      const std::string& name,
      const std::function<Status(Bytes)>& sink) override {
    const FileEntry* entry = find_file(manifest_, name);
    if (entry == nullptr) {
      return no_such_file(id_, name);
    }
    std::uint64_t done = 0;
    std::uint32_t chunk = 0;
    while (done < entry->bytes) {
      const std::string key = chunk_key(manifest_.commit, name, chunk);
      if (chunk == 0) {
        pieces_->Seek(key);
      } else {
        pieces_->Next();
      }
      if (!pieces_->status().ok()) {
        return rocks_error(pieces_->status(), "read " + name + " of " + id_);
      }
      if (!pieces_->Valid() || pieces_->key() != key) {
        break;
      }
      const Bytes piece = as_bytes(pieces_->value().ToStringView());
      SWAVD_RETURN_IF_ERROR(sink(piece));
      done += piece.size();
      ++chunk;
    }
    if (done != entry->bytes) {
      return Error{
          ErrorCode::kCorruption,
          fmt::format(
              "{} of {} has {} bytes instead of {}",
              name,
              id_,
              done,
              entry->bytes)};
    }
    return ok_status();
  }

 private:
  std::shared_ptr<Database> database_;
  /// Pins the tables it was made over.
  std::unique_ptr<rocksdb::Iterator> pieces_;
  std::string id_;
  std::string text_;
  Manifest manifest_;
};

}  // namespace

Result<std::string> read_note(Database& database, const std::string& name) {
  std::string text;
  const rocksdb::Status status = database.db().Get(
      read_options(), database.settings(), note_key(name), &text);
  if (!status.ok() && !status.IsNotFound()) {
    return rocks_error(status, "read the note " + name);
  }
  return text;
}

Result<std::vector<SnapshotInfo>> list_snapshots(Database& database) {
  const auto owner = read_note(database, kGenerationNote);
  if (!owner.ok()) {
    return owner.error();
  }
  std::vector<SnapshotInfo> list;
  std::uint64_t generation = 0;
  for (const std::uint64_t commit : commits(database)) {
    const auto text = manifest_text(database, commit);
    if (!text.ok() && text.error().code == ErrorCode::kNotFound) {
      continue;
    }
    if (!text.ok() && text.error().code != ErrorCode::kCorruption) {
      return text.error();
    }
    const auto manifest =
        text.ok() ? parse_manifest(text.value()) : text.error();
    // One rotten snapshot must neither hide the others nor go unnoticed.
    list.push_back(
        manifest.ok() ? info_of(manifest.value(), text.value())
                      : unreadable_info(generation, commit));
    generation = list.back().generation;
  }
  sort_lineage(list);
  SWAVD_RETURN_IF_ERROR(mark_off_line(list, owner.value()));
  return list;
}

Result<SnapshotInfo> find_snapshot(Database& database, const std::string& id) {
  const auto list = list_snapshots(database);
  if (!list.ok()) {
    return list.error();
  }
  for (const SnapshotInfo& info : list.value()) {
    if (info.id == id) {
      return info;
    }
  }
  return Error{
      ErrorCode::kNotFound,
      fmt::format("no snapshot {} in {}", id, database.db().GetName())};
}

Result<std::unique_ptr<SnapshotReader>> read_snapshot(
    std::shared_ptr<Database> database,
    const std::string& id) {
  const auto info = find_snapshot(*database, id);
  if (!info.ok()) {
    return info.error();
  }
  auto text = manifest_text(*database, info.value().commit);
  if (!text.ok()) {
    return text.error();
  }
  auto manifest = parse_manifest(text.value());
  if (!manifest.ok()) {
    return manifest.error();
  }
  return std::unique_ptr<SnapshotReader>(std::make_unique<RocksReader>(
      std::move(database),
      id,
      std::move(text).value(),
      std::move(manifest).value()));
}

}  // namespace swavd::state
