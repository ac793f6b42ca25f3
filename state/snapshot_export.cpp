#include "state/snapshot_export.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "state/content/checked_read.h"
#include "state/content/snapshot_info.h"
#include "state/diff/tensor_stream.h"
#include "state/directory/folder_writer.h"
#include "state/layouts/export_plan.h"
#include "state/snapshot_ref.h"

namespace swavd::state {

namespace {

using ExportJson = nlohmann::ordered_json;

constexpr const char* kModelName = "model.safetensors";
constexpr const char* kHeadName = "head.safetensors";
constexpr std::size_t kChunkBytes = 1U << 20U;

using Renamer = std::function<Result<std::string>(const std::string&)>;

/// Copies a file of the snapshot under other names: a new header in front of
/// the same bytes.
Status copy_renamed(
    SnapshotReader& snapshot,
    const FileEntry& file,
    const Renamer& renamer,
    const std::map<std::string, std::string>& metadata,
    const ByteSink& sink) {
  auto stream = TensorStream::open(snapshot, file);
  if (!stream.ok()) {
    return stream.error();
  }
  SafetensorsLayout layout = stream.value()->layout();
  layout.metadata = metadata;
  std::uint64_t left = 0;
  for (TensorEntry& tensor : layout.tensors) {
    auto name = renamer(tensor.name);
    if (!name.ok()) {
      return name.error();
    }
    tensor.name = std::move(name).value();
    left += tensor.bytes;
  }
  SWAVD_RETURN_IF_ERROR(sink(as_bytes(safetensors_header(layout))));
  ByteVector chunk;
  while (left > 0) {
    chunk.resize(std::min<std::uint64_t>(kChunkBytes, left));
    SWAVD_RETURN_IF_ERROR(stream.value()->fill(chunk));
    SWAVD_RETURN_IF_ERROR(sink(chunk));
    left -= chunk.size();
  }
  return stream.value()->finish();
}

/// A file of the export as it was written.
struct Written {
  std::string name;
  std::uint64_t bytes = 0;
};

/// Adds a file and remembers how long it became.
Status add_file(
    FolderWriter& writer,
    const std::string& name,
    const std::function<Status(const ByteSink&)>& write,
    std::vector<Written>& written) {
  written.push_back({name, 0});
  return writer.add(name, [&](const ByteSink& sink) {
    return write([&](Bytes piece) {
      written.back().bytes += piece.size();
      return sink(piece);
    });
  });
}

/// What has to be on the disk, near enough: headers grow by a few bytes a name.
std::uint64_t room_for(const SnapshotReader& snapshot, bool with_head) {
  constexpr std::uint64_t kHeaders = 1U << 20U;
  std::uint64_t bytes = kHeaders;
  for (const FileEntry& file : snapshot.manifest().files) {
    if (file.name == kModelName || (with_head && file.name == kHeadName)) {
      bytes += file.bytes;
    }
  }
  return bytes;
}

Status check_new(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error) ||
      std::filesystem::is_empty(folder, error)) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format("{} is not empty; name a new folder", folder)};
}

Status add_weights(
    SnapshotReader& snapshot,
    const ExportPlan& plan,
    const ExportOptions& options,
    FolderWriter& writer,
    std::vector<Written>& written) {
  const auto metadata = export_metadata(snapshot, options.layout, plan);
  const auto add = [&](const char* name, const Renamer& renamer) -> Status {
    const FileEntry* file = find_file(snapshot.manifest(), name);
    if (file == nullptr) {
      return no_such_file(snapshot.id(), name);
    }
    const Status added = add_file(
        writer,
        name,
        [&](const ByteSink& sink) {
          return copy_renamed(snapshot, *file, renamer, metadata, sink);
        },
        written);
    return added.ok() ? added : Status(added.error().with_context(name));
  };
  SWAVD_RETURN_IF_ERROR(add(kModelName, [&](const std::string& name) {
    return rename(plan.shape.family, name, plan.shape.own, options.layout);
  }));
  if (!options.with_head) {
    return ok_status();
  }
  return add(kHeadName, [&](const std::string& name) {
    return rename_head(name, options.layout);
  });
}

Result<std::vector<Written>> write_export(
    SnapshotReader& snapshot,
    const ExportPlan& plan,
    const ExportOptions& options,
    const std::string& folder) {
  SWAVD_RETURN_IF_ERROR(check_new(folder));
  auto writer = FolderWriter::begin(folder);
  if (!writer.ok()) {
    return writer.error();
  }
  SWAVD_RETURN_IF_ERROR(
      writer.value().need_room(room_for(snapshot, options.with_head)));
  std::vector<Written> written;
  SWAVD_RETURN_IF_ERROR(
      add_weights(snapshot, plan, options, writer.value(), written));
  for (const auto& [name, text] : plan.texts) {
    SWAVD_RETURN_IF_ERROR(add_file(
        writer.value(),
        name,
        [&](const ByteSink& sink) { return sink(as_bytes(text)); },
        written));
  }
  SWAVD_RETURN_IF_ERROR(writer.value().finish_new());
  return written;
}

std::string summary_json(
    const SnapshotReader& snapshot,
    const ExportPlan& plan,
    Layout layout,
    const std::string& folder,
    const std::vector<Written>& written) {
  ExportJson files = ExportJson::array();
  std::uint64_t bytes = 0;
  for (const Written& file : written) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}});
    bytes += file.bytes;
  }
  const auto or_null = [](const std::string& text) {
    return text.empty() ? ExportJson() : ExportJson(text);
  };
  return ExportJson{
             {"id", snapshot.id()},
             {"step", snapshot.manifest().step},
             {"layout", to_string(layout)},
             {"architecture", or_null(plan.architecture)},
             {"folder", folder},
             {"bytes", bytes},
             {"files", files},
             {"note", or_null(plan.note)}}
             .dump() +
         "\n";
}

std::string summary_text(
    const SnapshotReader& snapshot,
    const ExportPlan& plan,
    Layout layout,
    const std::string& folder,
    const std::vector<Written>& written) {
  std::string text = fmt::format(
      "exported {} into {} with {} names{}{}\n",
      snapshot.id(),
      folder,
      to_string(layout),
      plan.architecture.empty() ? "" : ": ",
      plan.architecture);
  for (const Written& file : written) {
    text += fmt::format("{:>14}  {}\n", file.bytes, file.name);
  }
  if (!plan.note.empty()) {
    text += plan.note + "\n";
  }
  return text;
}

}  // namespace

Result<std::string> export_command(
    const std::string& ref,
    const std::string& folder,
    const ExportOptions& options,
    OutputFormat format) {
  const auto opened = open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  SnapshotReader& snapshot = *opened.value().reader;
  SWAVD_RETURN_IF_ERROR(check_manifest(snapshot));
  const auto plan = plan_export(snapshot, options.layout);
  if (!plan.ok()) {
    return plan.error().with_context("snapshot " + snapshot.id());
  }
  const auto written = write_export(snapshot, plan.value(), options, folder);
  if (!written.ok()) {
    return written.error();
  }
  return (format == OutputFormat::kJson ? summary_json : summary_text)(
      snapshot, plan.value(), options.layout, folder, written.value());
}

}  // namespace swavd::state
