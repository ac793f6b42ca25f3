// One run in an object store; the layout is in
// ops/docs/formats/object-store.md.
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/log.h"
#include "state/content/piece_source.h"
#include "state/content/snapshot_content.h"
#include "state/content/snapshot_info.h"
#include "state/content/strict_json.h"
#include "state/directory/pin_files.h"
#include "state/object_store.h"
#include "state/remote/remote_pins.h"
#include "state/remote/upload_journal.h"

namespace swavd::state {

namespace {

using RemoteJson = nlohmann::ordered_json;

constexpr std::string_view kLineage = "lineage/";
constexpr std::string_view kSnapshots = "snapshots/";
constexpr std::string_view kLatest = "latest.json";
constexpr std::string_view kGeneration = "generation.json";
constexpr std::size_t kEntryDepth = 4;

/// What lineage/<commit>.json says.
struct LineageEntry {
  std::string id;
  std::uint64_t generation = 0;
  std::string parent;
};

std::string entry_text(const LineageEntry& entry) {
  return RemoteJson{
      {"id", entry.id},
      {"generation", entry.generation},
      {"parent", entry.parent}}
      .dump();
}

Result<LineageEntry> parse_entry(std::string_view text) {
  const auto json = parse_strict_json<RemoteJson>(text, kEntryDepth);
  if (!json.ok()) {
    return json.error();
  }
  const RemoteJson& fields = json.value();
  const auto has = [&](const char* name,
                       bool (RemoteJson::*is)() const noexcept) {
    return fields.is_object() && fields.contains(name) && (fields[name].*is)();
  };
  if (!has("id", &RemoteJson::is_string) ||
      !has("generation", &RemoteJson::is_number_unsigned) ||
      !has("parent", &RemoteJson::is_string) ||
      !is_plain_name(fields["id"].get<std::string>())) {
    return Error{
        ErrorCode::kCorruption, "not {id, generation, parent} as it should be"};
  }
  return LineageEntry{
      fields["id"].get<std::string>(),
      fields["generation"].get<std::uint64_t>(),
      fields["parent"].get<std::string>()};
}

/// What latest.json says.
Result<LatestSnapshots> parse_latest(std::string_view text) {
  const auto json = parse_strict_json<RemoteJson>(text, kEntryDepth);
  if (!json.ok()) {
    return json.error();
  }
  LatestSnapshots latest;
  for (const auto& [name, id] :
       {std::pair("newest", &latest.newest),
        std::pair("healthy", &latest.healthy)}) {
    const RemoteJson& fields = json.value();
    const bool there = fields.is_object() && fields.contains(name);
    if (there && fields[name].is_string() &&
        is_plain_name(fields[name].get<std::string>())) {
      *id = fields[name].get<std::string>();
    } else if (!there || !fields[name].is_null()) {
      return Error{
          ErrorCode::kCorruption, fmt::format("no id under \"{}\"", name)};
    }
  }
  return latest;
}

/// What an upload of `snapshot` writes; the manifest last.
UploadEntry upload_of(const SnapshotReader& snapshot) {
  UploadEntry entry{snapshot.id(), snapshot.manifest().generation, {}};
  for (const FileEntry& file : snapshot.manifest().files) {
    entry.files.push_back(file.name);
  }
  entry.files.emplace_back(kManifestFile);
  return entry;
}

/// The commit number of ".../lineage/000000000017.json".
std::optional<std::uint64_t> commit_of(std::string_view name) {
  constexpr std::string_view kSuffix = ".json";
  if (!name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  name.remove_suffix(kSuffix.size());
  std::uint64_t commit = 0;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, commit);
  if (name.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
    return std::nullopt;
  }
  return commit;
}

class RemoteReader final : public SnapshotReader {
 public:
  RemoteReader(
      ObjectStore& store,
      std::string prefix,
      std::string id,
      std::string text,
      Manifest manifest)
      : store_(store),
        prefix_(std::move(prefix)),
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
    if (find_file(manifest_, name) == nullptr) {
      return no_such_file(id_, name);
    }
    const auto got = store_.get(prefix_ + name, sink);
    return got.ok() ? ok_status() : Status(explain(name, got.error()));
  }

  [[nodiscard]] bool has_ranges() const override { return true; }

  [[nodiscard]] Status read_range(
      const std::string& name,
      const ByteRange& range,
      const std::function<Status(Bytes)>& sink) override {
    if (find_file(manifest_, name) == nullptr) {
      return no_such_file(id_, name);
    }
    // Objects below an id never change, so no etag is needed.
    const auto got =
        store_.get_range(prefix_ + name, range.offset, range.bytes, {}, sink);
    return got.ok() ? ok_status() : Status(explain(name, got.error()));
  }

 private:
  [[nodiscard]] Error explain(const std::string& name, const Error& error)
      const {
    if (error.code == ErrorCode::kNotFound) {
      return Error{
          ErrorCode::kCorruption,
          fmt::format(
              "{} of {} is missing from the object store: removed by hand, or "
              "the snapshot was dropped meanwhile",
              name,
              id_)};
    }
    return error;
  }

  ObjectStore& store_;
  std::string prefix_;
  std::string id_;
  std::string text_;
  Manifest manifest_;
};

class StoredRun final : public RemoteRun {
 public:
  StoredRun(ObjectStore& store, const std::string& run)
      : store_(store),
        root_(run.empty() ? run : run + "/"),
        pins_(store, root_),
        journal_(store, root_) {}

  [[nodiscard]] Result<std::vector<SnapshotInfo>> list() override;
  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> open(
      const std::string& id) override;
  [[nodiscard]] Result<std::optional<LatestSnapshots>> poll_latest() override;
  [[nodiscard]] Status set_pinned(const std::string& id, bool pinned) override;

  [[nodiscard]] Result<std::vector<std::string>> pinned() override {
    return pins_.list();
  }

  [[nodiscard]] Status upload(SnapshotReader& snapshot) override;
  [[nodiscard]] Status drop(const std::string& id) override;
  [[nodiscard]] Result<std::size_t> sweep(
      std::uint64_t generation,
      const std::set<std::string>& pending) override;

  [[nodiscard]] Status refresh_latest() override { return write_latest(); }

 private:
  using Lineage = std::map<std::uint64_t, LineageEntry>;

  /// All entries by commit number.
  [[nodiscard]] Result<Lineage> lineage();
  [[nodiscard]] Result<LineageEntry> entry(std::uint64_t commit);
  /// The commit number under which the lineage names `id`; kNotFound.
  [[nodiscard]] Result<std::uint64_t> commit_number(const std::string& id);
  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> reader_of(
      const std::string& id);
  /// kFenced when the lineage has gone on without this snapshot's generation;
  /// true when the snapshot is there already.
  [[nodiscard]] Result<bool> already_there(const SnapshotReader& snapshot);
  /// Before the first upload: what an earlier process sent by half.
  void clear_unfinished();
  [[nodiscard]] Status copy_files(SnapshotReader& snapshot);
  [[nodiscard]] Status commit_entry(const SnapshotReader& snapshot);
  /// The files that an upload of this run wrote for `id`.
  [[nodiscard]] Result<std::vector<std::string>> files_of(
      const std::string& id);
  /// Removes the files and then the journal's entry.
  [[nodiscard]] Status remove_files(
      const std::string& id,
      const std::vector<std::string>& files);
  /// Takes an entry out of the lineage, unless the snapshot is pinned.
  [[nodiscard]] Status remove_entry(
      std::uint64_t commit,
      const std::string& id);
  /// Names the newest and the newest healthy snapshot there are.
  [[nodiscard]] Status write_latest();

  [[nodiscard]] std::string lineage_key(std::uint64_t commit) const {
    return fmt::format("{}{}{:012}.json", root_, kLineage, commit);
  }

  [[nodiscard]] std::string snapshot_prefix(const std::string& id) const {
    return fmt::format("{}{}{}/", root_, kSnapshots, id);
  }

  ObjectStore& store_;
  std::string root_;  ///< "" or "<run>/"
  RemotePins pins_;
  UploadJournal journal_;
  /// What is written once and never changed need not be fetched twice. An
  /// entry serves only while the lineage still lists its commit.
  Lineage known_entries_;
  std::map<std::string, SnapshotInfo> known_infos_;
  std::string polled_etag_;  ///< of the latest.json that was seen last
  bool cleared_ = false;
};

Result<LineageEntry> StoredRun::entry(std::uint64_t commit) {
  const auto known = known_entries_.find(commit);
  if (known != known_entries_.end()) {
    return known->second;
  }
  const std::string key = lineage_key(commit);
  const auto text = get_text(store_, key);
  if (!text.ok()) {
    return text.error();
  }
  auto parsed = parse_entry(text.value());
  if (!parsed.ok()) {
    return parsed.error().with_context(key);
  }
  known_entries_[commit] = parsed.value();
  return parsed;
}

Result<StoredRun::Lineage> StoredRun::lineage() {
  const std::string prefix = root_ + std::string(kLineage);
  const auto objects = store_.list(prefix);
  if (!objects.ok()) {
    return objects.error();
  }
  std::set<std::uint64_t> commits;
  for (const ObjectInfo& object : objects.value()) {
    if (const auto commit =
            commit_of(std::string_view(object.key).substr(prefix.size()))) {
      commits.insert(*commit);
    }
  }
  std::erase_if(known_entries_, [&](const auto& known) {
    return !commits.contains(known.first);
  });
  Lineage found;
  for (const std::uint64_t commit : commits) {
    auto one = entry(commit);
    if (!one.ok() && one.error().code == ErrorCode::kNotFound) {
      continue;  // dropped since the listing
    }
    if (!one.ok()) {
      return one.error();
    }
    found.emplace(commit, std::move(one).value());
  }
  return found;
}

Result<std::vector<SnapshotInfo>> StoredRun::list() {
  const auto entries = lineage();
  if (!entries.ok()) {
    return entries.error();
  }
  std::vector<SnapshotInfo> list;
  for (const auto& [commit, named] : entries.value()) {
    auto known = known_infos_.find(named.id);
    if (known == known_infos_.end()) {
      const auto reader = reader_of(named.id);
      if (!reader.ok() && reader.error().code == ErrorCode::kUnavailable) {
        return reader.error();
      }
      if (!reader.ok()) {
        list.push_back(unreadable_info(named.generation, commit));
        list.back().id = named.id;
        continue;
      }
      known = known_infos_
                  .emplace(
                      named.id,
                      info_of(
                          reader.value()->manifest(),
                          reader.value()->manifest_text()))
                  .first;
    }
    list.push_back(known->second);
  }
  sort_lineage(list);
  auto owner = get_text(store_, root_ + std::string(kGeneration));
  if (!owner.ok() && owner.error().code != ErrorCode::kNotFound) {
    return owner.error();
  }
  SWAVD_RETURN_IF_ERROR(
      mark_off_line(list, owner.ok() ? owner.value() : std::string()));
  return list;
}

Result<std::uint64_t> StoredRun::commit_number(const std::string& id) {
  const auto entries = lineage();
  if (!entries.ok()) {
    return entries.error();
  }
  for (const auto& [commit, named] : entries.value()) {
    if (named.id == id) {
      return commit;
    }
  }
  return Error{
      ErrorCode::kNotFound,
      fmt::format("the lineage of {}names no snapshot {}", root_, id)};
}

Result<std::unique_ptr<SnapshotReader>> StoredRun::open(const std::string& id) {
  const auto commit = commit_number(id);
  if (!commit.ok()) {
    return commit.error();
  }
  return reader_of(id);
}

Result<std::unique_ptr<SnapshotReader>> StoredRun::reader_of(
    const std::string& id) {
  const std::string prefix = snapshot_prefix(id);
  const std::string key = prefix + std::string(kManifestFile);
  auto text = get_text(store_, key);
  if (!text.ok()) {
    return text.error().code == ErrorCode::kNotFound
               ? Error{ErrorCode::kCorruption, key + " is missing"}
               : text.error();
  }
  auto manifest = parse_manifest(text.value());
  if (!manifest.ok()) {
    return manifest.error().with_context(key);
  }
  if (snapshot_id(manifest.value().step, text.value()) != id) {
    return Error{ErrorCode::kCorruption, key + " is not the one of this id"};
  }
  return std::unique_ptr<SnapshotReader>(std::make_unique<RemoteReader>(
      store_,
      prefix,
      id,
      std::move(text).value(),
      std::move(manifest).value()));
}

Status StoredRun::upload(SnapshotReader& snapshot) {
  const auto there = already_there(snapshot);
  if (!there.ok()) {
    return there.error();
  }
  if (!there.value()) {
    SWAVD_RETURN_IF_ERROR(journal_.begin(upload_of(snapshot)));
    clear_unfinished();
    SWAVD_RETURN_IF_ERROR(copy_files(snapshot));
    // Copying took its time: a newer owner may have committed meanwhile, and
    // swept this upload away.
    const auto fenced = already_there(snapshot);
    const Status committed =
        fenced.ok() ? commit_entry(snapshot) : Status(fenced.error());
    if (!committed.ok()) {
      if (committed.error().code == ErrorCode::kFenced) {
        (void)remove_files(snapshot.id(), upload_of(snapshot).files);
      }
      return committed.error();
    }
  }
  return write_latest();
}

void StoredRun::clear_unfinished() {
  if (std::exchange(cleared_, true)) {
    return;
  }
  const std::string prefix = root_ + std::string(kSnapshots);
  if (const auto done = store_.discard_unfinished(prefix); !done.ok()) {
    log(LogLevel::kWarning,
        to_string(done.error().code),
        "what an earlier process sent by half stays in the object store: " +
            done.error().message);
  }
}

Result<bool> StoredRun::already_there(const SnapshotReader& snapshot) {
  const Manifest& manifest = snapshot.manifest();
  const auto entries = lineage();
  if (!entries.ok()) {
    return entries.error();
  }
  for (const auto& [commit, named] : entries.value()) {
    if (commit == manifest.commit && named.id == snapshot.id()) {
      return true;
    }
    // What an older generation put under this number comes off: its owner had
    // lost the run before it wrote it.
    if (named.generation > manifest.generation ||
        (commit == manifest.commit &&
         named.generation == manifest.generation)) {
      return Error{
          ErrorCode::kFenced,
          fmt::format(
              "commit {} of generation {} is {} here; {} of generation {} "
              "comes too late",
              commit,
              named.generation,
              named.id,
              snapshot.id(),
              manifest.generation)};
    }
  }
  return false;
}

Status StoredRun::copy_files(SnapshotReader& snapshot) {
  const std::string prefix = snapshot_prefix(snapshot.id());
  const auto objects = store_.list(prefix);
  if (!objects.ok()) {
    return objects.error();
  }
  std::map<std::string, std::uint64_t> there;
  for (const ObjectInfo& object : objects.value()) {
    there[object.key] = object.bytes;
  }
  for (const FileEntry& file : snapshot.manifest().files) {
    const std::string key = prefix + file.name;
    // The id is a digest over all files, and objects appear whole: one of the
    // same name and length is what an interrupted upload left.
    const auto left = there.find(key);
    if (left != there.end() && left->second == file.bytes) {
      continue;
    }
    PieceSource source(snapshot, file);
    const auto etag = store_.put(
        key, file.bytes, [&] { return source.next(); }, PutCondition{});
    if (!etag.ok()) {
      return etag.error().with_context("upload " + key);
    }
  }
  const auto etag = put_text(
      store_,
      prefix + std::string(kManifestFile),
      snapshot.manifest_text(),
      PutCondition{});
  return etag.ok() ? ok_status() : Status(etag.error());
}

Status StoredRun::commit_entry(const SnapshotReader& snapshot) {
  const Manifest& manifest = snapshot.manifest();
  const std::string key = lineage_key(manifest.commit);
  const std::string text =
      entry_text({snapshot.id(), manifest.generation, manifest.parent});
  const auto put = put_text(
      store_, key, text, PutCondition{PutCondition::Kind::kAbsent, {}});
  if (put.ok() || put.error().code != ErrorCode::kFenced) {
    return put.ok() ? ok_status() : Status(put.error());
  }
  known_entries_.erase(manifest.commit);
  std::string winner_text;
  const auto info = store_.get(key, [&](Bytes piece) {
    winner_text += as_text(piece);
    return ok_status();
  });
  if (!info.ok()) {
    return put.error();
  }
  const auto winner = parse_entry(winner_text);
  if (winner.ok() && winner.value().id == snapshot.id()) {
    return ok_status();  // a put of ours whose answer got lost
  }
  if (!winner.ok() || winner.value().generation >= manifest.generation) {
    return put.error();
  }
  const auto replaced = put_text(
      store_,
      key,
      text,
      PutCondition{PutCondition::Kind::kMatches, info.value().etag});
  return replaced.ok() ? ok_status() : Status(replaced.error());
}

Status StoredRun::write_latest() {
  const auto list_now = list();
  if (!list_now.ok()) {
    return list_now.error();
  }
  const LatestSnapshots names = latest_of(list_now.value());
  const auto id_or_null = [](const std::string& id) {
    return id.empty() ? RemoteJson(nullptr) : RemoteJson(id);
  };
  const RemoteJson latest{
      {"newest", id_or_null(names.newest)},
      {"healthy", id_or_null(names.healthy)}};
  const auto etag = put_text(
      store_, root_ + std::string(kLatest), latest.dump(), PutCondition{});
  return etag.ok() ? ok_status() : Status(etag.error());
}

Result<std::optional<LatestSnapshots>> StoredRun::poll_latest() {
  const std::string key = root_ + std::string(kLatest);
  std::string text;
  const auto sink = [&](Bytes piece) {
    text += as_text(piece);
    return ok_status();
  };
  std::optional<ObjectInfo> found;
  if (polled_etag_.empty()) {
    auto got = store_.get(key, sink);
    if (!got.ok()) {
      return got.error();
    }
    found = std::move(got).value();
  } else {
    auto got = store_.get_if_changed(key, polled_etag_, sink);
    if (!got.ok()) {
      return got.error();
    }
    found = std::move(got).value();
  }
  if (!found) {
    return std::optional<LatestSnapshots>();
  }
  auto latest = parse_latest(text);
  if (!latest.ok()) {
    return latest.error().with_context(key);
  }
  polled_etag_ = found->etag;
  return std::optional(std::move(latest).value());
}

Status StoredRun::set_pinned(const std::string& id, bool pinned) {
  const auto there = commit_number(id);
  if (!there.ok()) {
    return there.error();
  }
  if (!pinned) {
    return pins_.remove(id);
  }
  SWAVD_RETURN_IF_ERROR(pins_.put(id));
  // A drop looks for pins after it has taken the entry: either it sees this
  // one and puts the entry back, or the entry is gone now.
  const auto still_there = commit_number(id);
  if (!still_there.ok()) {
    SWAVD_RETURN_IF_ERROR(pins_.remove(id));
    return still_there.error();
  }
  return ok_status();
}

Status StoredRun::remove_entry(std::uint64_t commit, const std::string& id) {
  const auto pinned = pins_.contains(id);
  if (!pinned.ok()) {
    return pinned.error();
  }
  if (pinned.value()) {
    return is_pinned(id);
  }
  const LineageEntry removed = known_entries_.at(commit);
  SWAVD_RETURN_IF_ERROR(store_.remove(lineage_key(commit)));
  // A pin set meanwhile has won; see `set_pinned`.
  const auto pinned_now = pins_.contains(id);
  if (!pinned_now.ok() || pinned_now.value()) {
    const auto back = put_text(
        store_,
        lineage_key(commit),
        entry_text(removed),
        PutCondition{PutCondition::Kind::kAbsent, {}});
    if (!back.ok()) {
      return back.error();
    }
    return pinned_now.ok() ? is_pinned(id) : pinned_now.error();
  }
  known_entries_.erase(commit);
  known_infos_.erase(id);
  return ok_status();
}

Status StoredRun::drop(const std::string& id) {
  const auto commit = commit_number(id);
  if (!commit.ok()) {
    return commit.error();
  }
  SWAVD_RETURN_IF_ERROR(remove_entry(commit.value(), id));
  SWAVD_RETURN_IF_ERROR(write_latest());
  const auto files = files_of(id);
  return files.ok() ? remove_files(id, files.value()) : Status(files.error());
}

Result<std::vector<std::string>> StoredRun::files_of(const std::string& id) {
  auto written = journal_.read(id);
  if (written.ok()) {
    return std::move(written).value().files;
  }
  if (written.error().code == ErrorCode::kUnavailable) {
    return written.error();
  }
  const auto reader = reader_of(id);
  if (reader.ok()) {
    return upload_of(*reader.value()).files;
  }
  if (reader.error().code == ErrorCode::kUnavailable) {
    return reader.error();
  }
  log(LogLevel::kWarning,
      "files_left_behind",
      "neither the journal nor the manifest says which files a dropped "
      "snapshot had; remove what is left by hand",
      {{"prefix", snapshot_prefix(id)}});
  return std::vector<std::string>();
}

Status StoredRun::remove_files(
    const std::string& id,
    const std::vector<std::string>& files) {
  const std::string prefix = snapshot_prefix(id);
  // The manifest first: without it nobody takes the rest for a snapshot.
  SWAVD_RETURN_IF_ERROR(store_.remove(prefix + std::string(kManifestFile)));
  for (const std::string& name : files) {
    SWAVD_RETURN_IF_ERROR(store_.remove(prefix + name));
  }
  return journal_.forget(id);
}

Result<std::size_t> StoredRun::sweep(
    std::uint64_t generation,
    const std::set<std::string>& pending) {
  // In this order: what is committed in between is in the lineage then.
  auto begun = journal_.ids();
  if (!begun.ok()) {
    return begun.error();
  }
  const auto entries = lineage();
  if (!entries.ok()) {
    return entries.error();
  }
  std::uint64_t newest = 0;
  bool has_entry = false;
  for (const auto& [commit, named] : entries.value()) {
    begun.value().erase(named.id);
    newest = std::max(newest, named.generation);
    has_entry = true;
  }
  if (!has_entry || newest != generation) {
    return std::size_t{0};
  }
  std::size_t swept = 0;
  for (const std::string& id : begun.value()) {
    const auto entry = journal_.read(id);
    if (!entry.ok() && entry.error().code == ErrorCode::kUnavailable) {
      return entry.error();
    }
    if (pending.contains(id) || !entry.ok() ||
        entry.value().generation > generation) {
      continue;
    }
    SWAVD_RETURN_IF_ERROR(remove_files(id, entry.value().files));
    ++swept;
  }
  return swept;
}

}  // namespace

std::unique_ptr<RemoteRun> open_remote_run(
    ObjectStore& store,
    const std::string& run) {
  return std::make_unique<StoredRun>(store, run);
}

}  // namespace swavd::state
