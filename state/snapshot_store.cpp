#include "state/snapshot_store.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ops/base/sha256.h"
#include "state/content/checked_read.h"
#include "state/content/snapshot_info.h"

namespace swavd::state {

namespace {

Error differs(const std::string& what) {
  return Error{ErrorCode::kCorruption, what};
}

}  // namespace

Status SnapshotReader::read_range(
    const std::string& name,
    const ByteRange& /*range*/,
    const std::function<Status(Bytes)>& /*sink*/) {
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format("{} of {} can only be read whole", name, id())};
}

LatestSnapshots latest_of(const std::vector<SnapshotInfo>& list) {
  LatestSnapshots latest;
  for (const SnapshotInfo& info : list) {
    if (info.off_line) {
      continue;
    }
    if (info.verdict != kUnreadable) {
      latest.newest = info.id;
    }
    if (info.verdict == kHealthy) {
      latest.healthy = info.id;
    }
  }
  return latest;
}

Result<std::optional<LatestSnapshots>> SnapshotCatalog::poll_latest() {
  const auto now = list();
  if (!now.ok()) {
    return now.error();
  }
  const LatestSnapshots latest = latest_of(now.value());
  if (polled_ == latest) {
    return std::optional<LatestSnapshots>();
  }
  polled_ = latest;
  return polled_;
}

Status SnapshotCatalog::set_pinned(const std::string& id, bool /*pinned*/) {
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{} lies in a folder that nothing is dropped from; pin it in the "
          "data folder or the object store",
          id)};
}

Result<std::vector<std::string>> SnapshotCatalog::pinned() {
  return std::vector<std::string>();
}

Status read_checked(
    SnapshotReader& reader,
    const FileEntry& file,
    const ByteSink& sink) {
  Sha256 hash;
  std::uint64_t bytes = 0;
  SWAVD_RETURN_IF_ERROR(reader.read(file.name, [&](Bytes piece) -> Status {
    bytes += piece.size();
    if (bytes > file.bytes) {
      return differs(fmt::format(
          "{} of {} is longer than the manifest's {} bytes",
          file.name,
          reader.id(),
          file.bytes));
    }
    hash.update(piece);
    return sink(piece);
  }));
  const std::string digest = to_hex(hash.finish());
  if (bytes != file.bytes || digest != file.sha256) {
    return differs(fmt::format(
        "{} of {} differs from the manifest: {} bytes with SHA-256 {} instead "
        "of {} with {}",
        file.name,
        reader.id(),
        bytes,
        digest,
        file.bytes,
        file.sha256));
  }
  return ok_status();
}

Status check_manifest(SnapshotReader& reader) {
  const Manifest& manifest = reader.manifest();
  const std::string id = snapshot_id(manifest.step, reader.manifest_text());
  if (id != reader.id()) {
    return differs(fmt::format(
        "the manifest of {} belongs to {} or was changed", reader.id(), id));
  }
  if (compute_state_sha256(manifest) != manifest.state_sha256) {
    return differs("state_sha256 of " + id + " does not match its parts");
  }
  const bool configured =
      !manifest.config_toml.empty() || !manifest.config_sha256.empty();
  if (configured &&
      sha256_hex(as_bytes(manifest.config_toml)) != manifest.config_sha256) {
    return differs("config_sha256 of " + id + " does not match its config");
  }
  return ok_status();
}

Result<ByteVector> read_verified(
    SnapshotReader& reader,
    const std::string& name) {
  const FileEntry* file = find_file(reader.manifest(), name);
  if (file == nullptr) {
    return no_such_file(reader.id(), name);
  }
  ByteVector content;
  // Grows by what really comes: the length may be a lie.
  constexpr std::uint64_t kTrusted = 16ULL << 30U;
  content.reserve(std::min(file->bytes, kTrusted));
  SWAVD_RETURN_IF_ERROR(read_checked(reader, *file, [&](Bytes piece) {
    content.insert(content.end(), piece.begin(), piece.end());
    return ok_status();
  }));
  return content;
}

Status verify(SnapshotReader& reader) {
  SWAVD_RETURN_IF_ERROR(check_manifest(reader));
  for (const FileEntry& file : reader.manifest().files) {
    SWAVD_RETURN_IF_ERROR(
        read_checked(reader, file, [](Bytes) { return ok_status(); }));
  }
  return ok_status();
}

}  // namespace swavd::state
