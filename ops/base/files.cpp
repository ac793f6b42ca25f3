#include "ops/base/files.h"

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ops/base/descriptor.h"

namespace swavd {

namespace {

Status
write_all(int descriptor, Bytes bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written < 0) {
      return errno_error(errno, "write", path);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return ok_status();
}

}  // namespace

Error errno_error(
    int error_number,
    std::string_view what,
    const std::filesystem::path& path) {
  ErrorCode code = ErrorCode::kIo;
  if (error_number == ENOENT) {
    code = ErrorCode::kNotFound;
  } else if (error_number == ENOSPC || error_number == EDQUOT) {
    code = ErrorCode::kExhausted;
  }
  return Error{
      code,
      fmt::format(
          "{} {}: {}",
          what,
          path.string(),
          std::generic_category().message(error_number))};
}

Result<ByteVector> read_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    return errno_error(errno, "open", path);
  }

  struct stat info {};

  if (::fstat(file.get(), &info) != 0) {
    return errno_error(errno, "stat", path);
  }
  ByteVector bytes(static_cast<std::size_t>(info.st_size));
  std::size_t filled = 0;
  constexpr std::size_t kGrow = 65536;
  while (true) {
    if (filled == bytes.size()) {
      // A file in /proc says it is empty, and any file may be growing.
      bytes.resize(bytes.size() + kGrow);
    }
    const ssize_t got =
        ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return errno_error(errno, "read", path);
    }
    if (got == 0) {
      break;
    }
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

Status sync_folder(const std::filesystem::path& folder) {
  const Descriptor handle(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.get() < 0) {
    return errno_error(errno, "open", folder);
  }
  if (::fsync(handle.get()) != 0) {
    return errno_error(errno, "fsync", folder);
  }
  return ok_status();
}

Status write_file_durably(const std::filesystem::path& path, Bytes bytes) {
  std::filesystem::path temporary = path;
  temporary += fmt::format(".tmp-{}", ::getpid());
  {
    const Descriptor file(::open(
        temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) {
      return errno_error(errno, "create", temporary);
    }
    SWAVD_RETURN_IF_ERROR(write_all(file.get(), bytes, temporary));
    if (::fsync(file.get()) != 0) {
      return errno_error(errno, "fsync", temporary);
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return errno_error(errno, "rename", path);
  }
  const std::filesystem::path folder = path.parent_path();
  return sync_folder(folder.empty() ? std::filesystem::path(".") : folder);
}

Status make_folders(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return errno_error(error.value(), "create folder", folder);
  }
  return ok_status();
}

Result<std::uint64_t> free_bytes(const std::filesystem::path& path) {
  struct statvfs info {};

  if (::statvfs(path.c_str(), &info) != 0) {
    return errno_error(errno, "statvfs", path);
  }
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<FileLock> FileLock::acquire(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (file.get() < 0) {
    return errno_error(errno, "open lock", path);
  }
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return errno_error(errno, "lock", path);
    }
    std::string holder(32, '\0');
    const ssize_t got = ::pread(file.get(), holder.data(), holder.size(), 0);
    holder.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "{} is held by process {}; stop it first", path.string(), holder)};
  }
  const std::string pid = fmt::format("{}", ::getpid());
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), pid.data(), pid.size(), 0) < 0) {
    return errno_error(errno, "write lock", path);
  }
  return FileLock(file.release());
}

FileLock::FileLock(FileLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

}  // namespace swavd
