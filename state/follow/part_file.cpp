#include "state/follow/part_file.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "state/directory/file_writer.h"

namespace swavd::state {

namespace {

Status write_at(
    int file,
    Bytes bytes,
    std::uint64_t offset,
    const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t done =
        ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) {
      continue;
    }
    if (done < 0) {
      return errno_error(errno, "write", path);
    }
    offset += static_cast<std::uint64_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return ok_status();
}

Result<std::string> digest_at(
    const std::filesystem::path& path,
    const FileRange& range) {
  Sha256 hash;
  SWAVD_RETURN_IF_ERROR(stream_file(
      path,
      [&](Bytes piece) {
        hash.update(piece);
        return ok_status();
      },
      range));
  return to_hex(hash.finish());
}

std::string list_line(const ByteRange& part, const std::string& digest) {
  return fmt::format("{} {} {}\n", part.offset, part.bytes, digest);
}

}  // namespace

PartFile::PartFile(
    std::filesystem::path path,
    FileEntry file,
    std::uint64_t part)
    : path_(std::move(path)),
      list_path_(path_.string() + ".parts"),
      file_(std::move(file)),
      part_bytes_(part) {}

PartFile::~PartFile() {
  for (const int file : {data_, list_}) {
    if (file >= 0) {
      ::close(file);
    }
  }
}

Result<std::unique_ptr<PartFile>> PartFile::open(
    const std::filesystem::path& folder,
    const FileEntry& file,
    std::uint64_t part_bytes) {
  // Not make_unique: the constructor is private.
  std::unique_ptr<PartFile> opened(
      new PartFile(folder / file.name, file, part_bytes));
  SWAVD_RETURN_IF_ERROR(opened->open_files());
  SWAVD_RETURN_IF_ERROR(opened->load_list());
  return opened;
}

Status PartFile::open_files() {
  data_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (data_ < 0) {
    return errno_error(errno, "create", path_);
  }
  if (::ftruncate(data_, static_cast<off_t>(file_.bytes)) != 0) {
    return errno_error(errno, "resize", path_);
  }
  list_ =
      ::open(list_path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (list_ < 0) {
    return errno_error(errno, "create", list_path_);
  }
  return ok_status();
}

Status PartFile::load_list() {
  const auto bytes = read_file(list_path_);
  if (!bytes.ok()) {
    return bytes.error();
  }
  const std::string_view text = as_text(bytes.value());
  const MutexLock lock(mutex_);
  // The parts as they would be cut now; a line that says what is true is in
  // the text as it stands. Another part size or a torn line fits nothing.
  for (const ByteRange& part : all_parts()) {
    const std::string begin = fmt::format("{} {} ", part.offset, part.bytes);
    if (text.find(begin) == std::string_view::npos) {
      continue;
    }
    const auto digest = digest_at(path_, {part.offset, part.bytes});
    if (!digest.ok()) {
      return digest.error();
    }
    const std::string line = list_line(part, digest.value());
    if (text.starts_with(line) ||
        text.find("\n" + line) != std::string_view::npos) {
      done_.insert(part.offset);
    }
  }
  return ok_status();
}

std::vector<ByteRange> PartFile::all_parts() const {
  std::vector<ByteRange> parts;
  for (std::uint64_t at = 0; at < file_.bytes; at += part_bytes_) {
    parts.push_back({at, std::min(part_bytes_, file_.bytes - at)});
  }
  return parts;
}

std::vector<ByteRange> PartFile::missing() const {
  std::vector<ByteRange> parts = all_parts();
  const MutexLock lock(mutex_);
  std::erase_if(parts, [this](const ByteRange& part) SWAVD_REQUIRES(mutex_) {
    return done_.contains(part.offset);
  });
  return parts;
}

Status PartFile::put(
    const ByteRange& part,
    const std::function<Status(const ByteSink&)>& write) {
  Sha256 hash;
  std::uint64_t done = 0;
  SWAVD_RETURN_IF_ERROR(write([&](Bytes piece) -> Status {
    if (piece.size() > part.bytes - done) {
      return Error{
          ErrorCode::kCorruption,
          fmt::format("{} gave more bytes than were asked for", file_.name)};
    }
    hash.update(piece);
    const std::uint64_t at = part.offset + done;
    done += piece.size();
    return write_at(data_, piece, at, path_);
  }));
  if (done != part.bytes) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{} ends {} bytes early, at {}",
            file_.name,
            part.bytes - done,
            part.offset + done)};
  }
  const std::string line = list_line(part, to_hex(hash.finish()));
  const MutexLock lock(mutex_);
  if (::write(list_, line.data(), line.size()) !=
      static_cast<ssize_t>(line.size())) {
    return errno_error(errno, "write", list_path_);
  }
  done_.insert(part.offset);
  return ok_status();
}

Status PartFile::finish() {
  const auto digest = digest_at(path_, {});
  if (!digest.ok()) {
    return digest.error();
  }
  if (digest.value() != file_.sha256) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{} has SHA-256 {} instead of {}",
            file_.name,
            digest.value(),
            file_.sha256)};
  }
  if (::fsync(data_) != 0) {
    return errno_error(errno, "fsync", path_);
  }
  return ok_status();
}

Status PartFile::remove_list() {
  std::error_code error;
  std::filesystem::remove(list_path_, error);
  return error ? Status(errno_error(error.value(), "remove", list_path_))
               : ok_status();
}

Status PartFile::restart() {
  const MutexLock lock(mutex_);
  done_.clear();
  if (::ftruncate(list_, 0) != 0) {
    return errno_error(errno, "clear", list_path_);
  }
  return ok_status();
}

}  // namespace swavd::state
