#include "tests/trainer/memory_snapshot.h"

#include "ops/base/sha256.h"
#include "state/safetensors.h"

namespace swavd::trainer {

MemorySnapshot::MemorySnapshot(const state::FrozenState& frozen) {
  SWAVD_CHECK(!frozen.wait || frozen.wait().ok());
  for (const state::TensorFile& file : frozen.tensor_files) {
    ByteVector& bytes = files_[file.name];
    const Status written = state::write_safetensors(file, [&](Bytes piece) {
      bytes.insert(bytes.end(), piece.begin(), piece.end());
      return ok_status();
    });
    SWAVD_CHECK(written.ok());
  }
  for (const auto& [name, text] : frozen.text_files) {
    files_[name] = ByteVector(text.begin(), text.end());
  }
  manifest_.step = frozen.step;
  manifest_.health = frozen.health;
  manifest_.random_json = frozen.random_json;
  list_files();
}

void MemorySnapshot::set_file(const std::string& name, ByteVector bytes) {
  files_[name] = std::move(bytes);
  list_files();
}

void MemorySnapshot::remove_file(const std::string& name) {
  files_.erase(name);
  list_files();
}

Status MemorySnapshot::read(
    const std::string& name,
    const std::function<Status(Bytes)>& sink) {
  const auto found = files_.find(name);
  if (found == files_.end()) {
    return Error{ErrorCode::kNotFound, "no file " + name};
  }
  return sink(found->second);
}

void MemorySnapshot::list_files() {
  manifest_.files.clear();
  for (const auto& [name, bytes] : files_) {
    manifest_.files.push_back({name, bytes.size(), sha256_hex(bytes)});
  }
  text_ = state::to_json(manifest_);
  id_ = state::snapshot_id(manifest_.step, text_);
}

}  // namespace swavd::trainer
