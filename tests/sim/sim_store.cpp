#include "tests/sim/sim_store.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "state/content/snapshot_content.h"
#include "state/content/snapshot_info.h"
#include "state/safetensors.h"

namespace swavd::sim {

namespace {

class StoredReader final : public state::SnapshotReader {
 public:
  StoredReader(std::string id, std::shared_ptr<StoredSnapshot> stored)
      : id_(std::move(id)),
        stored_(std::move(stored)) {}

  const std::string& id() const override { return id_; }

  const state::Manifest& manifest() const override { return stored_->manifest; }

  const std::string& manifest_text() const override { return stored_->text; }

  Status read(const std::string& name, const std::function<Status(Bytes)>& sink)
      override {
    const auto found = stored_->files.find(name);
    if (found == stored_->files.end()) {
      return Error{ErrorCode::kNotFound, "no file " + name};
    }
    return sink(found->second);
  }

 private:
  std::string id_;
  std::shared_ptr<StoredSnapshot> stored_;
};

/// A ledger trainer's tensor of eight bytes.
std::uint64_t number_of(const StoredSnapshot& stored, const char* tensor) {
  const auto weights =
      state::parse_safetensors(stored.files.at("model.safetensors"));
  std::uint64_t value = 0;
  if (weights.ok() && weights.value().find(tensor) != nullptr) {
    std::memcpy(
        &value, weights.value().find(tensor)->data.data(), sizeof value);
  }
  return value;
}

}  // namespace

std::string Disk::flip_newest() {
  std::string newest_id;
  StoredSnapshot* newest = nullptr;
  for (const auto& [id, stored] : snapshots) {
    if (newest == nullptr ||
        std::tie(stored->manifest.generation, stored->manifest.commit) >
            std::tie(newest->manifest.generation, newest->manifest.commit)) {
      newest = stored.get();
      newest_id = id;
    }
  }
  if (newest != nullptr) {
    newest->files.at("model.safetensors").back() ^= 1U;
  }
  return newest_id;
}

Result<std::vector<state::SnapshotInfo>> SimStore::list() {
  std::vector<state::SnapshotInfo> all;
  for (const auto& [id, stored] : disk_.snapshots) {
    all.push_back(state::info_of(stored->manifest, stored->text));
  }
  state::sort_lineage(all);
  return all;
}

Result<std::unique_ptr<state::SnapshotReader>> SimStore::open(
    const std::string& id) {
  const auto found = disk_.snapshots.find(id);
  if (found == disk_.snapshots.end()) {
    return Error{ErrorCode::kNotFound, "no snapshot " + id};
  }
  return std::unique_ptr<state::SnapshotReader>(
      std::make_unique<StoredReader>(id, found->second));
}

void SimStore::publish(
    const std::string& id,
    std::shared_ptr<StoredSnapshot> made) {
  std::erase_if(disk_.snapshots, [&](const auto& other) {
    return other.second->manifest.commit == made->manifest.commit;
  });
  world_.oracle.committed(
      id,
      made->manifest,
      static_cast<std::int64_t>(number_of(*made, "ledger.count")),
      number_of(*made, "ledger.hash"));
  disk_.snapshots[id] = std::move(made);
}

Result<std::string> SimStore::commit(
    state::Manifest manifest,
    const state::FrozenState& state,
    const state::CommitOptions& /*options*/) {
  world_.moment();
  if (world_.fails(25)) {
    return Error{ErrorCode::kExhausted, "the disk is full"};
  }
  for (const auto& [id, stored] : disk_.snapshots) {
    if (stored->manifest.commit == manifest.commit &&
        stored->manifest.generation >= manifest.generation) {
      return Error{ErrorCode::kInvalidArgument, "the commit exists already"};
    }
  }
  const auto content = state::content_of(manifest, state);
  if (!content.ok()) {
    return content.error();
  }
  auto made = std::make_shared<StoredSnapshot>();
  std::vector<state::FileEntry> entries;
  for (const state::ContentFile& file : content.value()) {
    ByteVector& bytes = made->files[file.name];
    auto entry = state::write_content(file, [&bytes](Bytes piece) {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
      return ok_status();
    });
    if (!entry.ok()) {
      return entry.error();
    }
    entries.push_back(std::move(entry).value());
  }
  std::ranges::sort(entries, {}, &state::FileEntry::name);
  made->manifest = state::with_files(std::move(manifest), std::move(entries));
  made->text = state::to_json(made->manifest);
  std::string id = state::snapshot_id(made->manifest.step, made->text);
  const bool unknown = world_.fails(40);
  if (!unknown || world_.chance.one_in(2)) {
    publish(id, std::move(made));
  }
  world_.moment();
  if (unknown) {
    return Error{ErrorCode::kIo, "a sync failed"};
  }
  return id;
}

Status SimStore::drop(const std::string& id) {
  world_.moment();
  if (disk_.snapshots.erase(id) == 0) {
    return Error{ErrorCode::kNotFound, "no snapshot " + id};
  }
  disk_.pins.erase(id);
  return ok_status();
}

Status SimStore::set_pinned(const std::string& id, bool pinned) {
  if (!disk_.snapshots.contains(id)) {
    return Error{ErrorCode::kNotFound, "no snapshot " + id};
  }
  if (pinned) {
    disk_.pins.insert(id);
  } else {
    disk_.pins.erase(id);
  }
  return ok_status();
}

Result<std::vector<std::string>> SimStore::pinned() {
  return std::vector<std::string>(disk_.pins.begin(), disk_.pins.end());
}

Result<std::string> SimStore::read_note(const std::string& name) {
  return disk_.notes[name];
}

Status SimStore::write_note(const std::string& name, const std::string& text) {
  world_.moment();
  disk_.notes[name] = text;
  world_.moment();
  return ok_status();
}

}  // namespace swavd::sim
