#include "state/directory/file_writer.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "ops/base/files.h"

namespace swavd::state {

namespace {

constexpr std::size_t kReadBytes = 1U << 20U;

/// The folder a path lies in; a bare name lies in ".".
std::filesystem::path folder_of(const std::filesystem::path& path) {
  const auto parent = path.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

}  // namespace

FileWriter::FileWriter(std::filesystem::path path, int descriptor)
    : path_(std::move(path)),
      descriptor_(descriptor) {}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<FileWriter> FileWriter::create(const std::filesystem::path& path) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) {
    return errno_error(errno, "create", path);
  }
  FileWriter writer(path, file);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    return errno_error(errno, "lock", path);
  }
  return writer;
}

Status FileWriter::write(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done < 0) {
      return errno_error(errno, "write", path_);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return ok_status();
}

Status FileWriter::sync() {
  if (::fsync(descriptor_) != 0) {
    return errno_error(errno, "fsync", path_);
  }
  return ok_status();
}

Status stream_file(
    const std::filesystem::path& path,
    const std::function<Status(Bytes)>& sink,
    FileRange range) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return errno_error(errno == ENOTDIR ? ENOENT : errno, "open", path);
  }
  ByteVector buffer(kReadBytes);
  Status status = ok_status();
  while (status.ok() && range.bytes > 0) {
    const ssize_t got = ::pread(
        file,
        buffer.data(),
        std::min<std::uint64_t>(buffer.size(), range.bytes),
        static_cast<off_t>(range.offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      // A folder is not the file that was asked for.
      status = errno_error(errno == EISDIR ? ENOENT : errno, "read", path);
    } else if (got == 0) {
      break;
    } else {
      const auto count = static_cast<std::uint64_t>(got);
      range.offset += count;
      range.bytes -= count;
      status = sink(Bytes(buffer).first(count));
    }
  }
  ::close(file);
  return status;
}

Status make_folders_durably(const std::filesystem::path& folder) {
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) {
    return ok_status();
  }
  SWAVD_RETURN_IF_ERROR(make_folders_durably(folder.parent_path()));
  std::filesystem::create_directory(folder, error);
  if (error) {
    return errno_error(error.value(), "create folder", folder);
  }
  return sync_folder(folder_of(folder));
}

Status rename_durably(
    const std::filesystem::path& from,
    const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return errno_error(errno, "rename", to);
  }
  return sync_folder(folder_of(to));
}

}  // namespace swavd::state
