#include "state/directory/directory_object_store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "state/directory/file_writer.h"
#include "state/directory/waiting_lock.h"

namespace swavd::state {

namespace {

constexpr std::string_view kTemporaryPrefix = ".put-";

/// Conditions are checked and names changed under it.
Result<WaitingLock> lock_store(const std::filesystem::path& root) {
  SWAVD_RETURN_IF_ERROR(make_folders_durably(root));
  return WaitingLock::acquire(root / ".lock");
}

/// True when each component is a name that a folder may hold; the last may be
/// empty with `open_end`.
bool is_key(std::string_view key, bool open_end) {
  std::size_t begin = 0;
  while (begin <= key.size()) {
    const std::size_t end = std::min(key.find('/', begin), key.size());
    const bool last = end == key.size();
    if (end == begin ? !(last && open_end) : key[begin] == '.') {
      return false;
    }
    begin = end + 1;
  }
  constexpr std::size_t kLongest = 1024;  // S3's limit
  return key.size() <= kLongest && key.find('\0') == std::string_view::npos;
}

Status check_key(const std::string& key, bool open_end = false) {
  if (!is_key(key, open_end)) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no key of an object store", key)};
  }
  return ok_status();
}

/// Removes temporary files in `folder` whose writer is dead: a living one
/// holds the file's lock.
void remove_abandoned(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder, ignored)) {
    if (!entry.path().filename().string().starts_with(kTemporaryPrefix)) {
      continue;
    }
    const int file = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
    if (file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) == 0) {
      std::filesystem::remove(entry.path(), ignored);
    }
    if (file >= 0) {
      ::close(file);
    }
  }
}

/// S3 has no folders: the last object of one takes it away.
void remove_empty_folders(
    std::filesystem::path folder,
    const std::filesystem::path& root) {
  while (folder != root && ::rmdir(folder.c_str()) == 0) {
    folder = folder.parent_path();
  }
}

Result<std::string> digest_of(const std::filesystem::path& path) {
  Sha256 hash;
  SWAVD_RETURN_IF_ERROR(stream_file(path, [&](Bytes piece) {
    hash.update(piece);
    return ok_status();
  }));
  return to_hex(hash.finish());
}

/// Copies `source` into `file`; gives the digest.
Result<std::string> fill(
    FileWriter& file,
    const std::string& key,
    std::uint64_t bytes,
    const std::function<Result<Bytes>()>& source) {
  Sha256 hash;
  std::uint64_t done = 0;
  while (true) {
    const auto piece = source();
    if (!piece.ok()) {
      return piece.error();
    }
    if (piece.value().empty()) {
      break;
    }
    hash.update(piece.value());
    done += piece.value().size();
    SWAVD_RETURN_IF_ERROR(file.write(piece.value()));
  }
  if (done != bytes) {
    return Error{
        ErrorCode::kIo,
        fmt::format("{} gave {} bytes instead of {}", key, done, bytes)};
  }
  SWAVD_RETURN_IF_ERROR(file.sync());
  return to_hex(hash.finish());
}

/// The objects below `top` whose keys begin with `prefix`, ascending.
std::vector<ObjectInfo> walk(
    const std::filesystem::path& top,
    const std::filesystem::path& root,
    const std::string& prefix,
    std::error_code& error) {
  std::vector<ObjectInfo> found;
  error.clear();
  if (std::error_code absent; !std::filesystem::is_directory(top, absent)) {
    return found;
  }
  using Walk = std::filesystem::recursive_directory_iterator;
  for (Walk at(top, error); !error && at != Walk(); at.increment(error)) {
    if (at->path().filename().string().front() == '.') {
      at.disable_recursion_pending();
      continue;
    }
    // A file that another has removed since is simply not listed.
    std::error_code gone;
    const bool is_file = at->is_regular_file(gone);
    const std::uint64_t bytes = is_file ? at->file_size(gone) : 0;
    const std::string key =
        at->path().lexically_relative(root).generic_string();
    if (is_file && !gone && key.starts_with(prefix)) {
      found.push_back({key, bytes, {}});
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.key < b.key;
  });
  return found;
}

}  // namespace

DirectoryObjectStore::DirectoryObjectStore(std::filesystem::path root)
    : root_(std::move(root)) {}

std::filesystem::path DirectoryObjectStore::path_of(
    const std::string& key) const {
  return root_ / key;
}

Status DirectoryObjectStore::check(
    const std::string& key,
    const PutCondition& condition) const {
  if (condition.kind == PutCondition::Kind::kNone) {
    return ok_status();
  }
  const auto digest = digest_of(path_of(key));
  const bool absent =
      !digest.ok() && digest.error().code == ErrorCode::kNotFound;
  if (!digest.ok() && !absent) {
    return digest.error();
  }
  if (condition.kind == PutCondition::Kind::kAbsent && !absent) {
    return Error{ErrorCode::kFenced, key + " exists already"};
  }
  if (condition.kind == PutCondition::Kind::kMatches &&
      (absent || digest.value() != condition.etag)) {
    return Error{ErrorCode::kFenced, key + " has been changed by another"};
  }
  return ok_status();
}

Result<std::string> DirectoryObjectStore::put(
    const std::string& key,
    std::uint64_t bytes,
    const std::function<Result<Bytes>()>& source,
    const PutCondition& condition) {
  static std::atomic<std::uint64_t> counter{0};
  SWAVD_RETURN_IF_ERROR(check_key(key));
  const std::filesystem::path path = path_of(key);
  const std::filesystem::path temporary =
      path.parent_path() /
      fmt::format("{}{}-{}", kTemporaryPrefix, ::getpid(), counter++);
  // Folder and file are made under the lock, or a remover could take the
  // still empty folder away in between.
  auto prepared = [&]() -> Result<FileWriter> {
    const auto lock = lock_store(root_);
    if (!lock.ok()) {
      return lock.error();
    }
    SWAVD_RETURN_IF_ERROR(check(key, condition));
    SWAVD_RETURN_IF_ERROR(make_folders_durably(path.parent_path()));
    remove_abandoned(path.parent_path());
    return FileWriter::create(temporary);
  }();
  if (!prepared.ok()) {
    return prepared.error();
  }
  auto digest = fill(prepared.value(), key, bytes, source);
  Status done = digest.ok() ? ok_status() : Status(digest.error());
  if (done.ok()) {
    const auto lock = lock_store(root_);
    done = lock.ok() ? check(key, condition) : Status(lock.error());
    if (done.ok()) {
      done = rename_durably(temporary, path);
    }
  }
  if (!done.ok()) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return done.error();
  }
  return digest;
}

Result<ObjectInfo> DirectoryObjectStore::get(
    const std::string& key,
    const std::function<Status(Bytes)>& sink) {
  SWAVD_RETURN_IF_ERROR(check_key(key));
  ObjectInfo info{key, 0, {}};
  Sha256 hash;
  SWAVD_RETURN_IF_ERROR(stream_file(path_of(key), [&](Bytes piece) {
    hash.update(piece);
    info.bytes += piece.size();
    return sink(piece);
  }));
  info.etag = to_hex(hash.finish());
  return info;
}

Result<std::optional<ObjectInfo>> DirectoryObjectStore::get_if_changed(
    const std::string& key,
    const std::string& etag,
    const std::function<Status(Bytes)>& sink) {
  SWAVD_RETURN_IF_ERROR(check_key(key));
  const auto digest = digest_of(path_of(key));
  if (!digest.ok()) {
    return digest.error();
  }
  if (digest.value() == etag) {
    return std::optional<ObjectInfo>();
  }
  auto info = get(key, sink);
  if (!info.ok()) {
    return info.error();
  }
  return std::optional(std::move(info).value());
}

Result<ObjectInfo> DirectoryObjectStore::get_range(
    const std::string& key,
    std::uint64_t offset,
    std::uint64_t bytes,
    const std::string& etag,
    const std::function<Status(Bytes)>& sink) {
  SWAVD_RETURN_IF_ERROR(check_key(key));
  const std::filesystem::path path = path_of(key);
  if (!etag.empty()) {
    const auto digest = digest_of(path);
    if (!digest.ok()) {
      return digest.error();
    }
    if (digest.value() != etag) {
      return Error{ErrorCode::kFenced, key + " has been changed by another"};
    }
  }
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (!error && offset > size) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("{} has {} bytes, none at {}", key, size, offset)};
  }
  SWAVD_RETURN_IF_ERROR(stream_file(path, sink, {offset, bytes}));
  return ObjectInfo{key, size, {}};
}

Result<std::vector<ObjectInfo>> DirectoryObjectStore::list(
    const std::string& prefix) {
  SWAVD_RETURN_IF_ERROR(check_key(prefix, /*open_end=*/true));
  // Only the folder the prefix names needs to be walked.
  const std::size_t slash = prefix.rfind('/');
  const auto top =
      slash == std::string::npos ? root_ : root_ / prefix.substr(0, slash);
  // A folder that is removed while it is walked ends the walk early.
  constexpr int kAttempts = 16;
  std::error_code error;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto found = walk(top, root_, prefix, error);
    if (!error) {
      return found;
    }
    if (error != std::errc::no_such_file_or_directory) {
      break;
    }
  }
  return errno_error(error.value(), "list", top);
}

Status DirectoryObjectStore::remove(const std::string& key) {
  SWAVD_RETURN_IF_ERROR(check_key(key));
  const std::filesystem::path path = path_of(key);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return ok_status();
  }
  const auto lock = lock_store(root_);
  if (!lock.ok()) {
    return lock.error();
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return errno_error(errno, "remove", path);
  }
  SWAVD_RETURN_IF_ERROR(sync_folder(path.parent_path()));
  remove_empty_folders(path.parent_path(), root_);
  return ok_status();
}

}  // namespace swavd::state
