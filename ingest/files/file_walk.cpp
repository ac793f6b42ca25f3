#include "ingest/files/file_walk.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "ingest/files/folder_walk.h"
#include "ingest/files/tar_walk.h"
#include "ops/base/files.h"

namespace swavd::ingest {

Result<std::unique_ptr<FileWalk>> open_walk(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error) {
    return errno_error(error.value(), "open", path);
  }
  if (std::filesystem::is_directory(status)) {
    return open_folder_walk(path);
  }
  if (std::filesystem::is_regular_file(status)) {
    return open_tar_walk(path);
  }
  return Error{
      ErrorCode::kInvalidArgument,
      path + " is neither a folder nor a tar file"};
}

Result<PathFile> read_named(FileWalk& walk, std::string name) {
  auto bytes = walk.read();
  if (!bytes.ok()) {
    return bytes.error();
  }
  PathFile file;
  file.label = label_of(name);
  file.name = std::move(name);
  file.bytes = std::move(bytes).value();
  return file;
}

std::string label_of(std::string_view name) {
  const std::size_t slash = name.find('/');
  return std::string(
      slash == std::string_view::npos ? "" : name.substr(0, slash));
}

bool is_hidden(std::string_view name) {
  return name.starts_with('.') || name.find("/.") != std::string_view::npos;
}

}  // namespace swavd::ingest
