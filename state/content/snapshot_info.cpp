#include "state/content/snapshot_info.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "state/run_record.h"

namespace swavd::state {

SnapshotInfo info_of(const Manifest& manifest, std::string_view text) {
  SnapshotInfo info;
  info.id = snapshot_id(manifest.step, text);
  info.generation = manifest.generation;
  info.commit = manifest.commit;
  info.step = manifest.step;
  info.images = manifest.images;
  info.created_ms = manifest.created_ms;
  info.verdict = manifest.health.verdict;
  info.parent = manifest.parent;
  for (const FileEntry& file : manifest.files) {
    info.bytes += file.bytes;
  }
  return info;
}

SnapshotInfo unreadable_info(std::uint64_t generation, std::uint64_t commit) {
  SnapshotInfo info;
  info.id = fmt::format("unreadable-{:012}", commit);
  info.generation = generation;
  info.commit = commit;
  info.verdict = kUnreadable;
  return info;
}

void sort_lineage(std::vector<SnapshotInfo>& list) {
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return std::tie(a.generation, a.commit) < std::tie(b.generation, b.commit);
  });
}

Status mark_off_line(
    std::vector<SnapshotInfo>& list,
    std::string_view run_record) {
  if (run_record.empty()) {
    return ok_status();
  }
  const auto record = parse_run_record(run_record);
  if (!record.ok()) {
    return record.error();
  }
  for (SnapshotInfo& info : list) {
    info.off_line =
        !on_line(record.value().rollbacks, info.generation, info.commit);
  }
  return ok_status();
}

const FileEntry* find_file(const Manifest& manifest, std::string_view name) {
  const auto hit = std::find_if(
      manifest.files.begin(), manifest.files.end(), [&](const auto& file) {
        return file.name == name;
      });
  return hit == manifest.files.end() ? nullptr : &*hit;
}

Error no_such_file(const std::string& id, const std::string& name) {
  return Error{
      ErrorCode::kNotFound,
      fmt::format("snapshot {} has no file {}", id, name)};
}

}  // namespace swavd::state
