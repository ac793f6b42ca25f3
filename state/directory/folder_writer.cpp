#include "state/directory/folder_writer.h"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "state/content/snapshot_info.h"
#include "state/directory/file_writer.h"

namespace swavd::state {

namespace {

constexpr const char* kLockName = ".lock";

/// "a/b" for "a/b/", so that a name can be put behind it.
std::filesystem::path without_slash(const std::filesystem::path& folder) {
  auto path = std::filesystem::absolute(folder).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

/// A folder is ours to fill when it is absent, empty or holds a snapshot.
Status check_target(const std::filesystem::path& folder) {
  std::error_code error;
  const auto status = std::filesystem::status(folder, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return ok_status();
  }
  const bool fine = std::filesystem::is_directory(status) &&
                    (std::filesystem::exists(folder / kManifestFile, error) ||
                     std::filesystem::is_empty(folder, error));
  if (error) {
    return errno_error(error.value(), "look into", folder);
  }
  if (!fine) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} holds something else than a snapshot; name a new folder",
            folder.string())};
  }
  return ok_status();
}

}  // namespace

FolderWriter::FolderWriter(
    std::filesystem::path folder,
    std::filesystem::path partial,
    FileLock lock)
    : folder_(std::move(folder)),
      partial_(std::move(partial)),
      lock_(std::move(lock)) {}

FolderWriter::FolderWriter(FolderWriter&& other) noexcept
    : folder_(std::move(other.folder_)),
      partial_(std::move(other.partial_)),
      lock_(std::move(other.lock_)),
      names_(std::move(other.names_)) {
  other.lock_.reset();
}

Result<FolderWriter> FolderWriter::begin(const std::filesystem::path& folder) {
  const auto target = without_slash(folder);
  SWAVD_RETURN_IF_ERROR(check_target(target));
  auto partial = target;
  partial += ".partial";
  SWAVD_RETURN_IF_ERROR(make_folders_durably(partial));
  auto lock = FileLock::acquire(partial / kLockName);
  if (!lock.ok()) {
    return lock.error();
  }
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(partial, error)) {
    // Left by one that was killed.
    if (entry.path().filename() != kLockName) {
      std::filesystem::remove_all(entry.path(), error);
    }
    if (error) {
      break;
    }
  }
  if (error) {
    return errno_error(error.value(), "clear", partial);
  }
  return FolderWriter(target, std::move(partial), std::move(lock).value());
}

FolderWriter::~FolderWriter() {
  if (lock_) {
    std::error_code ignored;
    std::filesystem::remove_all(partial_, ignored);
  }
}

Status FolderWriter::add(
    const std::string& name,
    const std::function<Status(const ByteSink&)>& write) {
  SWAVD_CHECK(is_plain_name(name));
  auto file = FileWriter::create(partial_ / name);
  if (!file.ok()) {
    return file.error();
  }
  SWAVD_RETURN_IF_ERROR(
      write([&](Bytes bytes) { return file.value().write(bytes); }));
  SWAVD_RETURN_IF_ERROR(file.value().sync());
  names_.insert(name);
  return ok_status();
}

Status FolderWriter::need_room(std::uint64_t bytes) const {
  const auto free = free_bytes(partial_);
  if (!free.ok()) {
    return free.error();
  }
  if (free.value() < bytes) {
    return Error{
        ErrorCode::kExhausted,
        fmt::format(
            "{} needs {} bytes, {} are free",
            folder_.string(),
            bytes,
            free.value())};
  }
  return ok_status();
}

Status FolderWriter::finish(std::string_view manifest_text) {
  const std::string manifest_name(kManifestFile);
  SWAVD_RETURN_IF_ERROR(add(manifest_name, [&](const ByteSink& sink) {
    return sink(as_bytes(manifest_text));
  }));
  const auto renamed = rename_into_place();
  if (!renamed.ok()) {
    return renamed.error();
  }
  return renamed.value() ? ok_status() : replace_files();
}

Status FolderWriter::finish_new() {
  const auto renamed = rename_into_place();
  if (!renamed.ok()) {
    return renamed.error();
  }
  if (!renamed.value()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("{} is not empty; name a new folder", folder_.string())};
  }
  return ok_status();
}

Result<bool> FolderWriter::rename_into_place() {
  std::error_code error;
  std::filesystem::remove(partial_ / kLockName, error);
  SWAVD_RETURN_IF_ERROR(sync_folder(partial_));
  // Goes through when the folder is absent or empty.
  if (std::rename(partial_.c_str(), folder_.c_str()) == 0) {
    lock_.reset();
    SWAVD_RETURN_IF_ERROR(sync_folder(folder_.parent_path()));
    return true;
  }
  if (errno != ENOTEMPTY && errno != EEXIST) {
    return errno_error(errno, "rename", folder_);
  }
  return false;
}

Status FolderWriter::replace_files() const {
  const std::string manifest_name(kManifestFile);
  const auto old_text = read_file(folder_ / manifest_name);
  for (const std::string& name : names_) {
    if (name != manifest_name) {
      SWAVD_RETURN_IF_ERROR(rename_durably(partial_ / name, folder_ / name));
    }
  }
  SWAVD_RETURN_IF_ERROR(
      rename_durably(partial_ / manifest_name, folder_ / manifest_name));
  // What only the old snapshot had would pass for a part of the new one.
  const auto old = old_text.ok() ? parse_manifest(as_text(old_text.value()))
                                 : old_text.error();
  if (old.ok()) {
    for (const FileEntry& file : old.value().files) {
      if (!names_.contains(file.name)) {
        std::error_code ignored;
        std::filesystem::remove(folder_ / file.name, ignored);
      }
    }
  }
  return sync_folder(folder_);
}

}  // namespace swavd::state
