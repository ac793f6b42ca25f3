#include "ops/service/http/demo_catalog.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "ingest/paths.h"
#include "ops/base/files.h"
#include "ops/base/sha256.h"

namespace swavd::service {

namespace {

constexpr std::size_t kHashDigits = 16;

std::string extension_of(const std::string& name) {
  std::string extension = std::filesystem::path(name).extension().string();
  if (extension.size() < 2 || extension.size() > 6) {
    return "bin";
  }
  extension.erase(0, 1);
  for (char& c : extension) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) == 0) {
      return "bin";
    }
    c = static_cast<char>(std::tolower(byte));
  }
  return extension;
}

bool is_picture(const std::string& name) {
  constexpr std::array<std::string_view, 9> kPictures = {
      "jpg", "jpeg", "png", "gif", "webp", "bmp", "tif", "tiff", "avif"};
  return std::ranges::find(kPictures, extension_of(name)) != kPictures.end();
}

/// Cuts `text` at the first `mark` and gives what stood before it; empty,
/// with `text` untouched, when there is none.
std::string_view cut_at(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view front = text.substr(0, at);
  text.remove_prefix(at + 1);
  return front;
}

}  // namespace

Result<DemoCatalog> DemoCatalog::load(
    const std::string& path,
    bool pictures_only,
    std::uint64_t max_tar_bytes) {
  const auto wanted = [pictures_only](const std::string& name) {
    return !pictures_only || is_picture(name);
  };
  DemoCatalog catalog;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    catalog.folder_ = path;
    auto names = ingest::list_files(path);
    if (!names.ok()) {
      return names.error();
    }
    for (std::string& name : names.value()) {
      if (wanted(name)) {
        SWAVD_RETURN_IF_ERROR(catalog.add(std::move(name), {}));
      }
    }
  } else {
    Status status = ok_status();
    std::uint64_t total = 0;
    const Status walked =
        ingest::for_each_file(path, [&](ingest::PathFile&& file) {
          if (!wanted(file.name)) {
            return true;
          }
          total += file.bytes.size();
          if (total > max_tar_bytes) {
            status = Error{
                ErrorCode::kInvalidArgument,
                fmt::format(
                    "the files in {} are larger than {} MiB, the most the "
                    "demo web holds in memory; unpack it and give the folder",
                    path,
                    max_tar_bytes >> 20U)};
          } else {
            status = catalog.add(std::move(file.name), std::move(file.bytes));
          }
          return status.ok();
        });
    SWAVD_RETURN_IF_ERROR(walked);
    SWAVD_RETURN_IF_ERROR(status);
  }
  if (catalog.entries_.empty()) {
    return Error{
        ErrorCode::kInvalidArgument, path + " holds no files to serve"};
  }
  return catalog;
}

Status DemoCatalog::add(std::string name, ByteVector bytes) {
  Entry entry;
  entry.hash = sha256_hex(as_bytes(name)).substr(0, kHashDigits);
  entry.extension = extension_of(name);
  entry.name = std::move(name);
  entry.bytes = std::move(bytes);
  const auto [at, fresh] = by_hash_.emplace(entry.hash, entries_.size());
  if (!fresh) {
    // A tar may hold a name twice; as when unpacking, the later one stays.
    entries_[at->second] = std::move(entry);
    return ok_status();
  }
  entries_.push_back(std::move(entry));
  return ok_status();
}

const DemoCatalog::Entry* DemoCatalog::find(std::string_view hash) const {
  const auto at = by_hash_.find(std::string(hash));
  return at == by_hash_.end() ? nullptr : &entries_[at->second];
}

Result<ByteVector> DemoCatalog::read(const Entry& entry) const {
  if (folder_.empty()) {
    return entry.bytes;
  }
  return read_file(std::filesystem::path(folder_) / entry.name);
}

std::optional<DemoPath> parse_demo_path(std::string_view path) {
  if (!path.starts_with("/h")) {
    return std::nullopt;
  }
  path.remove_prefix(2);
  const std::string_view host = cut_at(path, '/');
  DemoPath parsed;
  const auto [end, error] =
      std::from_chars(host.data(), host.data() + host.size(), parsed.host);
  if (host.empty() || error != std::errc() ||
      end != host.data() + host.size()) {
    return std::nullopt;
  }
  const std::string_view kind = cut_at(path, '/');
  if (kind == "to") {
    parsed.kind = DemoPath::Kind::kRedirect;
  } else if (kind == "slow") {
    parsed.kind = DemoPath::Kind::kSlow;
  } else if (!kind.empty()) {
    return std::nullopt;
  }
  parsed.file = path;
  parsed.hash = cut_at(path, '-');
  if (parsed.hash.size() != kHashDigits) {
    return std::nullopt;
  }
  return parsed;
}

std::string demo_url(const DemoPath& path, std::uint16_t port) {
  std::string_view kind;
  if (path.kind == DemoPath::Kind::kRedirect) {
    kind = "to/";
  } else if (path.kind == DemoPath::Kind::kSlow) {
    kind = "slow/";
  }
  return fmt::format(
      "http://127.0.0.{}:{}/h{}/{}{}",
      path.host,
      port,
      path.host,
      kind,
      path.file);
}

std::string_view media_type(std::string_view extension) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10>
      kTypes = {
          {{"jpg", "image/jpeg"},
           {"jpeg", "image/jpeg"},
           {"png", "image/png"},
           {"gif", "image/gif"},
           {"webp", "image/webp"},
           {"avif", "image/avif"},
           {"bmp", "image/bmp"},
           {"tif", "image/tiff"},
           {"tiff", "image/tiff"},
           {"txt", "text/plain"}}};
  const auto at = std::find_if(kTypes.begin(), kTypes.end(), [&](auto& type) {
    return type.first == extension;
  });
  return at == kTypes.end() ? "application/octet-stream" : at->second;
}

}  // namespace swavd::service
