#include "ingest/file_set.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "ingest/files/file_set_source.h"
#include "ingest/files/file_walk.h"
#include "ops/base/check.h"
#include "ops/base/files.h"

namespace swavd::ingest {

namespace {

/// Steps through a PATH to the next of some ascending places.
class AscendingReader {
 public:
  AscendingReader(
      const std::string& path,
      std::unique_ptr<FileWalk> walk,
      std::vector<std::size_t> places)
      : path_(path),
        walk_(std::move(walk)),
        places_(std::move(places)) {}

  Result<PathFile> operator()(std::size_t n) {
    std::optional<std::string> name;
    for (; passed_ <= places_[n]; ++passed_) {
      auto next = walk_->advance();
      if (!next.ok()) {
        return next.error();
      }
      name = std::move(next).value();
      if (!name) {
        return Error{ErrorCode::kIo, path_ + " shrank while it was read"};
      }
    }
    return read_named(*walk_, *std::move(name));
  }

 private:
  std::string path_;
  std::unique_ptr<FileWalk> walk_;
  std::vector<std::size_t> places_;
  std::size_t passed_ = 0;
};

/// Reads files at any places: of a tar from memory, of a folder by name.
struct PlacedReader {
  std::string path;
  std::shared_ptr<const std::vector<ByteVector>> contents;  ///< of a tar
  std::vector<std::string> names;                           ///< in order
  std::vector<std::size_t> places;

  Result<PathFile> operator()(std::size_t n) const {
    if (contents != nullptr) {
      return PathFile{names[n], label_of(names[n]), (*contents)[places[n]]};
    }
    auto bytes = read_file(std::filesystem::path(path) / names[n]);
    if (!bytes.ok()) {
      return bytes.error();
    }
    return PathFile{names[n], label_of(names[n]), std::move(bytes).value()};
  }
};

bool is_ascending(const std::vector<std::size_t>& places) {
  return std::adjacent_find(
             places.begin(), places.end(), std::greater_equal<>()) ==
         places.end();
}

}  // namespace

Result<FileSet> FileSet::open(
    const std::string& path,
    std::size_t max_tar_bytes) {
  auto names = list_files(path);
  if (!names.ok()) {
    return names.error();
  }
  FileSet set;
  set.path_ = path;
  set.max_tar_bytes_ = max_tar_bytes;
  set.is_tar_ = !std::filesystem::is_directory(path);
  set.names_ = std::move(names).value();
  set.labels_.reserve(set.names_.size());
  for (const std::string& name : set.names_) {
    set.labels_.push_back(label_of(name));
  }
  return set;
}

Status FileSet::load_tar() {
  std::vector<ByteVector> contents;
  contents.reserve(names_.size());
  std::size_t bytes = 0;
  SWAVD_RETURN_IF_ERROR(for_each_file(path_, [&](PathFile&& file) {
    bytes += file.bytes.size();
    contents.push_back(std::move(file.bytes));
    return bytes <= max_tar_bytes_;
  }));
  if (bytes > max_tar_bytes_) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} holds more than {} bytes of images, too many to keep in memory "
            "and read in another order: unpack it into a folder",
            path_,
            max_tar_bytes_)};
  }
  if (contents.size() != names_.size()) {
    return Error{ErrorCode::kIo, path_ + " changed while it was read"};
  }
  contents_ =
      std::make_shared<const std::vector<ByteVector>>(std::move(contents));
  return ok_status();
}

Result<std::unique_ptr<Source>> FileSet::source(
    std::vector<std::size_t> places) {
  for (const std::size_t place : places) {
    SWAVD_CHECK(place < names_.size());
  }
  const std::size_t count = places.size();
  NextFile next_file;
  if (is_ascending(places)) {
    auto walk = open_walk(path_);
    if (!walk.ok()) {
      return walk.error();
    }
    // Shared: a std::function is copyable.
    next_file = [reader = std::make_shared<AscendingReader>(
                     path_, std::move(walk).value(), std::move(places))](
                    std::size_t n) { return (*reader)(n); };
  } else {
    if (is_tar_ && contents_ == nullptr) {
      SWAVD_RETURN_IF_ERROR(load_tar());
    }
    PlacedReader reader{path_, contents_, {}, std::move(places)};
    reader.names.reserve(count);
    for (const std::size_t place : reader.places) {
      reader.names.push_back(names_[place]);
    }
    next_file = std::move(reader);
  }
  std::unique_ptr<Source> source =
      std::make_unique<FileSetSource>(path_, count, std::move(next_file));
  return source;
}

}  // namespace swavd::ingest
