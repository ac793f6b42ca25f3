#include "ingest/files/tar_walk.h"

#include <algorithm>
#include <cerrno>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "ops/base/files.h"
#include "ops/base/log.h"

namespace swavd::ingest {

namespace {

constexpr std::size_t kBlockBytes = 256U << 10U;
// A header may lie about the size: no more than this is allocated on trust.
constexpr std::size_t kTrustedBytes = 64U << 20U;

struct ArchiveDeleter {
  void operator()(archive* raw) const { archive_read_free(raw); }
};

using ArchiveHandle = std::unique_ptr<archive, ArchiveDeleter>;

/// "./a/b" and "/a/b" are both "a/b".
std::string clean_name(std::string_view name) {
  while (name.starts_with("./") || name.starts_with('/')) {
    name.remove_prefix(name.front() == '/' ? 1 : 2);
  }
  return std::string(name);
}

std::string reason_of(archive* handle) {
  const char* text = archive_error_string(handle);
  return text == nullptr ? "unknown error" : text;
}

Error no_tar(const std::string& path, std::string_view why) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format("{} is neither a folder nor a tar file: {}", path, why)};
}

class TarWalk final : public FileWalk {
 public:
  TarWalk(std::string path, ArchiveHandle handle)
      : path_(std::move(path)),
        handle_(std::move(handle)) {}

  ~TarWalk() override {
    if (links_ > 0) {
      log(LogLevel::kWarning,
          "tar_hard_links_left_out",
          "hard links in a tar hold no bytes of their own",
          {{"path", path_}, {"count", std::to_string(links_)}});
    }
  }

  Result<std::optional<std::string>> advance() override {
    while (true) {
      const int code = archive_read_next_header(handle_.get(), &entry_);
      if (code == ARCHIVE_EOF) {
        return std::optional<std::string>{};
      }
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
        return broken();
      }
      any_ = true;
      if (archive_entry_hardlink(entry_) != nullptr) {
        ++links_;
        continue;
      }
      const char* raw = archive_entry_pathname(entry_);
      if (archive_entry_filetype(entry_) != AE_IFREG || raw == nullptr) {
        continue;
      }
      std::string name = clean_name(raw);
      if (!name.empty() && !is_hidden(name)) {
        name_ = name;
        return std::optional<std::string>(std::move(name));
      }
    }
  }

  Result<ByteVector> read() override {
    ByteVector bytes;
    const auto stated = static_cast<std::size_t>(
        std::max<la_int64_t>(0, archive_entry_size(entry_)));
    while (bytes.size() < stated) {
      const std::size_t filled = bytes.size();
      bytes.resize(filled + std::min(stated - filled, kTrustedBytes));
      const la_ssize_t got = archive_read_data(
          handle_.get(), bytes.data() + filled, bytes.size() - filled);
      if (got <= 0) {
        return broken();
      }
      bytes.resize(filled + static_cast<std::size_t>(got));
    }
    return bytes;
  }

 private:
  Error broken() {
    const std::string text = reason_of(handle_.get());
    if (!any_) {
      return no_tar(path_, text);
    }
    return {
        ErrorCode::kCorruption,
        fmt::format("{}: broken near member \"{}\": {}", path_, name_, text)};
  }

  std::string path_;
  ArchiveHandle handle_;
  archive_entry* entry_ = nullptr;  // owned by the handle
  std::string name_;
  bool any_ = false;
  std::uint64_t links_ = 0;
};

}  // namespace

Result<std::unique_ptr<FileWalk>> open_tar_walk(const std::string& path) {
  ArchiveHandle handle(archive_read_new());
  if (handle == nullptr) {
    return Error{ErrorCode::kExhausted, path + ": no memory for libarchive"};
  }
  archive_read_support_format_tar(handle.get());
  archive_read_support_filter_gzip(handle.get());
  archive_read_support_filter_bzip2(handle.get());
  archive_read_support_filter_xz(handle.get());
  archive_read_support_filter_zstd(handle.get());
  if (archive_read_open_filename(handle.get(), path.c_str(), kBlockBytes) !=
      ARCHIVE_OK) {
    const int number = archive_errno(handle.get());
    // EILSEQ is libarchive's own word for "no format of mine".
    if (number > 0 && number != EILSEQ) {
      return errno_error(number, "open", path);
    }
    return no_tar(path, reason_of(handle.get()));
  }
  std::unique_ptr<FileWalk> walk =
      std::make_unique<TarWalk>(path, std::move(handle));
  return walk;
}

}  // namespace swavd::ingest
