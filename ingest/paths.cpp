#include "ingest/paths.h"

#include <utility>

#include "ingest/files/file_walk.h"
#include "ingest/files/path_source.h"

namespace swavd::ingest {

Status for_each_file(
    const std::string& path,
    const std::function<bool(PathFile&&)>& visit) {
  auto walk = open_walk(path);
  if (!walk.ok()) {
    return walk.error();
  }
  while (true) {
    auto name = walk.value()->advance();
    if (!name.ok()) {
      return name.error();
    }
    if (!name.value()) {
      return ok_status();
    }
    auto file = read_named(*walk.value(), *std::move(name).value());
    if (!file.ok()) {
      return file.error();
    }
    if (!visit(std::move(file).value())) {
      return ok_status();
    }
  }
}

Result<std::vector<std::string>> list_files(const std::string& path) {
  auto walk = open_walk(path);
  if (!walk.ok()) {
    return walk.error();
  }
  std::vector<std::string> names;
  while (true) {
    auto name = walk.value()->advance();
    if (!name.ok()) {
      return name.error();
    }
    if (!name.value()) {
      return names;
    }
    names.push_back(*std::move(name).value());
  }
}

Result<std::unique_ptr<Source>> open_path_source(
    const std::string& path,
    const PathSourceOptions& options) {
  auto selection = select_files(path, options);
  if (!selection.ok()) {
    return selection.error();
  }
  std::unique_ptr<Source> source =
      std::make_unique<PathSource>(path, std::move(selection).value());
  return source;
}

}  // namespace swavd::ingest
