#include "state/follow/version_folder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "state/content/checked_read.h"
#include "state/directory/file_writer.h"
#include "state/directory/snapshot_folder.h"

namespace swavd::state {

namespace {

constexpr const char* kVersions = "versions";
constexpr const char* kIncoming = ".incoming";
constexpr const char* kLock = ".lock";
constexpr const char* kNewLink = ".current.new";

bool is_ours(const std::string& name) {
  const std::array<std::string_view, 5> ours{
      kCurrentLink, kVersions, kIncoming, kLock, kNewLink};
  return std::find(ours.begin(), ours.end(), name) != ours.end();
}

/// A folder is ours when it is absent, has the link, or holds nothing that
/// somebody else put there.
Status check_target(const std::filesystem::path& folder) {
  std::error_code error;
  const auto type = std::filesystem::status(folder, error).type();
  if (type == std::filesystem::file_type::not_found ||
      std::filesystem::is_symlink(folder / kCurrentLink, error)) {
    return ok_status();
  }
  bool fine = type == std::filesystem::file_type::directory;
  if (fine) {
    for (const auto& entry :
         std::filesystem::directory_iterator(folder, error)) {
      fine = fine && is_ours(entry.path().filename().string());
    }
  }
  if (error) {
    return errno_error(error.value(), "look into", folder);
  }
  if (!fine) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} holds something else than what follow keeps; name a new folder",
            folder.string())};
  }
  return ok_status();
}

bool is_whole(
    const std::filesystem::path& folder,
    const std::string& id,
    PullFiles files) {
  auto reader = open_snapshot_folder(folder)->open(id);
  if (!reader.ok() || !check_manifest(*reader.value()).ok()) {
    return false;
  }
  for (const FileEntry& file : reader.value()->manifest().files) {
    const bool wanted = files == PullFiles::kAll || file.name != kStateFile;
    if (wanted && !read_checked(*reader.value(), file, [](Bytes) {
                     return ok_status();
                   }).ok()) {
      return false;
    }
  }
  return true;
}

}  // namespace

VersionFolder::VersionFolder(std::filesystem::path folder, FileLock lock)
    : folder_(std::move(folder)),
      lock_(std::move(lock)) {}

Result<VersionFolder> VersionFolder::open(
    const std::filesystem::path& folder,
    Time now) {
  const auto target = std::filesystem::absolute(folder).lexically_normal();
  SWAVD_RETURN_IF_ERROR(check_target(target));
  SWAVD_RETURN_IF_ERROR(make_folders_durably(target / kVersions));
  auto lock = FileLock::acquire(target / kLock);
  if (!lock.ok()) {
    return lock.error();
  }
  VersionFolder opened(target, std::move(lock).value());
  SWAVD_RETURN_IF_ERROR(opened.load_versions(now));
  return opened;
}

Status VersionFolder::load_versions(Time now) {
  using Aged =
      std::pair<std::filesystem::file_time_type, std::filesystem::path>;
  std::vector<Aged> found;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder_ / kVersions, error)) {
    found.emplace_back(entry.last_write_time(error), entry.path());
  }
  if (error) {
    return errno_error(error.value(), "list", folder_ / kVersions);
  }
  std::sort(found.begin(), found.end());
  const auto linked = current();
  std::stable_partition(found.begin(), found.end(), [&](const Aged& one) {
    return one.second != linked;
  });
  for (Aged& one : found) {
    versions_.push_back({std::move(one.second), now});
  }
  return ok_status();
}

std::optional<std::filesystem::path> VersionFolder::current() const {
  std::error_code error;
  const auto target =
      std::filesystem::read_symlink(folder_ / kCurrentLink, error);
  if (error) {
    return std::nullopt;
  }
  auto path = (folder_ / target).lexically_normal();
  return std::filesystem::is_directory(path, error) ? std::optional(path)
                                                    : std::nullopt;
}

Result<std::filesystem::path> VersionFolder::incoming(
    const std::string& id) const {
  const auto top = folder_ / kIncoming;
  SWAVD_RETURN_IF_ERROR(make_folders_durably(top / id));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(top, error)) {
    if (entry.path().filename() != id) {
      std::filesystem::remove_all(entry.path(), error);
    }
    if (error) {
      break;
    }
  }
  if (error) {
    return errno_error(error.value(), "clear", top);
  }
  return top / id;
}

std::optional<std::filesystem::path> VersionFolder::whole_version(
    const std::string& id,
    PullFiles files) const {
  for (const Version& version : versions_) {
    if (version.path.filename().string().starts_with(id) &&
        is_whole(version.path, id, files)) {
      return version.path;
    }
  }
  return std::nullopt;
}

Result<std::filesystem::path> VersionFolder::publish(const std::string& id) {
  // One of this name may be there: damaged, or without the training state.
  // Somebody may be reading it, so it is not touched.
  auto place = folder_ / kVersions / id;
  std::error_code error;
  for (int other = 2; std::filesystem::exists(place, error); ++other) {
    place = folder_ / kVersions / fmt::format("{}.{}", id, other);
  }
  const auto gathered = folder_ / kIncoming / id;
  SWAVD_RETURN_IF_ERROR(sync_folder(gathered));
  SWAVD_RETURN_IF_ERROR(rename_durably(gathered, place));
  return place;
}

Status VersionFolder::switch_to(
    const std::filesystem::path& version,
    Time now) {
  const auto link = folder_ / kNewLink;
  std::error_code ignored;
  std::filesystem::remove(link, ignored);  // of one that was killed
  const auto target = std::filesystem::path(kVersions) / version.filename();
  if (::symlink(target.c_str(), link.c_str()) != 0) {
    return errno_error(errno, "link", link);
  }
  SWAVD_RETURN_IF_ERROR(rename_durably(link, folder_ / kCurrentLink));
  if (!versions_.empty()) {
    versions_.back().left = now;
  }
  std::erase_if(
      versions_, [&](const Version& one) { return one.path == version; });
  versions_.push_back({version, now});
  return ok_status();
}

Status VersionFolder::prune(
    std::size_t keep,
    std::chrono::milliseconds grace,
    Time now) {
  const auto linked = current();
  std::size_t too_many = versions_.size() - std::min(keep, versions_.size());
  for (auto at = versions_.begin(); too_many > 0; --too_many) {
    if (at->path == linked || now - at->left < grace) {
      ++at;
      continue;
    }
    std::error_code error;
    std::filesystem::remove_all(at->path, error);
    if (error) {
      return errno_error(error.value(), "remove", at->path);
    }
    at = versions_.erase(at);
  }
  return ok_status();
}

}  // namespace swavd::state
