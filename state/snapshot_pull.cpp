// `pull` and `write_snapshot_folder`.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "state/content/checked_read.h"
#include "state/content/snapshot_content.h"
#include "state/directory/folder_writer.h"
#include "state/snapshot_ref.h"

namespace swavd::state {

Status
pull(SnapshotReader& reader, const std::string& folder, PullFiles files) {
  SWAVD_RETURN_IF_ERROR(check_manifest(reader));
  std::vector<FileEntry> wanted;
  std::uint64_t bytes = reader.manifest_text().size();
  for (const FileEntry& file : reader.manifest().files) {
    if (files == PullFiles::kAll || file.name != kStateFile) {
      wanted.push_back(file);
      bytes += file.bytes;
    }
  }
  auto writer = FolderWriter::begin(folder);
  if (!writer.ok()) {
    return writer.error();
  }
  SWAVD_RETURN_IF_ERROR(writer.value().need_room(bytes));
  for (const FileEntry& file : wanted) {
    SWAVD_RETURN_IF_ERROR(
        writer.value().add(file.name, [&](const ByteSink& sink) {
          return read_checked(reader, file, sink);
        }));
  }
  return writer.value().finish(reader.manifest_text());
}

Status check_target_folder(const std::string& folder) {
  const auto writer = FolderWriter::begin(folder);
  return writer.ok() ? ok_status() : Status(writer.error());
}

Result<std::string> write_snapshot_folder(
    Manifest manifest,
    const FrozenState& state,
    const std::string& folder) {
  const auto content = content_of(manifest, state);
  if (!content.ok()) {
    return content.error();
  }
  auto writer = FolderWriter::begin(folder);
  if (!writer.ok()) {
    return writer.error();
  }
  std::vector<FileEntry> files;
  for (const ContentFile& file : content.value()) {
    SWAVD_RETURN_IF_ERROR(
        writer.value().add(file.name, [&](const ByteSink& sink) -> Status {
          auto entry = write_content(file, sink);
          if (!entry.ok()) {
            return entry.error();
          }
          files.push_back(std::move(entry).value());
          return ok_status();
        }));
  }
  const std::string text =
      to_json(with_files(std::move(manifest), std::move(files)));
  SWAVD_RETURN_IF_ERROR(writer.value().finish(text));
  return snapshot_id(state.step, text);
}

}  // namespace swavd::state
