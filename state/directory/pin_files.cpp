#include "state/directory/pin_files.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "ops/base/files.h"
#include "state/content/snapshot_content.h"
#include "state/directory/file_writer.h"
#include "state/directory/waiting_lock.h"

namespace swavd::state {

namespace {

constexpr const char* kPinLock = ".lock";

Status create_pin(const std::filesystem::path& path) {
  const auto file = FileWriter::create(path);
  return file.ok() ? sync_folder(path.parent_path()) : Status(file.error());
}

Status remove_pin(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) {
    return errno_error(error.value(), "remove", path);
  }
  return sync_folder(path.parent_path());
}

}  // namespace

Error is_pinned(const std::string& id) {
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{} is pinned; take the pin off first (swavctl snapshots pin "
          "--remove)",
          id)};
}

PinFiles::PinFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

Status PinFiles::prepare() const {
  SWAVD_RETURN_IF_ERROR(make_folders_durably(folder_));
  const auto lock = WaitingLock::acquire(folder_ / kPinLock);
  return lock.ok() ? ok_status() : Status(lock.error());
}

Result<std::vector<std::string>> PinFiles::list() const {
  std::vector<std::string> ids;
  std::error_code error;
  if (!std::filesystem::exists(folder_, error)) {
    return ids;
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(folder_, error)) {
    std::string name = entry.path().filename().string();
    if (is_plain_name(name)) {
      ids.push_back(std::move(name));
    }
  }
  if (error) {
    return errno_error(error.value(), "list", folder_);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Status PinFiles::set(
    const std::string& id,
    bool pinned,
    const std::function<Status()>& is_there) const {
  SWAVD_CHECK(is_plain_name(id));
  SWAVD_RETURN_IF_ERROR(make_folders_durably(folder_));
  const auto lock = WaitingLock::acquire(folder_ / kPinLock);
  if (!lock.ok()) {
    return lock.error();
  }
  SWAVD_RETURN_IF_ERROR(is_there());
  return pinned ? create_pin(folder_ / id) : remove_pin(folder_ / id);
}

Status PinFiles::unless_pinned(
    const std::string& id,
    const std::function<Status()>& drop) const {
  const auto lock = WaitingLock::acquire(folder_ / kPinLock);
  if (!lock.ok()) {
    return lock.error();
  }
  std::error_code error;
  if (std::filesystem::exists(folder_ / id, error)) {
    return is_pinned(id);
  }
  return drop();
}

}  // namespace swavd::state
