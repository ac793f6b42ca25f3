#include "ingest/files/folder_walk.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "ops/base/files.h"

namespace swavd::ingest {

namespace {

namespace fs = std::filesystem;

class FolderWalk final : public FileWalk {
 public:
  FolderWalk(fs::path root, std::vector<std::string> names)
      : root_(std::move(root)),
        names_(std::move(names)) {}

  Result<std::optional<std::string>> advance() override {
    if (next_ == names_.size()) {
      return std::optional<std::string>{};
    }
    return std::optional<std::string>(names_[next_++]);
  }

  Result<ByteVector> read() override {
    return read_file(root_ / names_[next_ - 1]);
  }

 private:
  fs::path root_;
  std::vector<std::string> names_;
  std::size_t next_ = 0;
};

}  // namespace

Result<std::unique_ptr<FileWalk>> open_folder_walk(const std::string& path) {
  const fs::path root(path);
  std::vector<std::string> names;
  std::error_code error;
  fs::recursive_directory_iterator entry(root, error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    const bool hidden = is_hidden(entry->path().filename().native());
    if (hidden) {
      entry.disable_recursion_pending();
    } else {
      std::error_code gone;  // a dangling link is no regular file
      if (entry->is_regular_file(gone)) {
        names.push_back(entry->path().lexically_relative(root).native());
      }
    }
    entry.increment(error);
  }
  if (error) {
    return errno_error(error.value(), "list", root);
  }
  std::sort(names.begin(), names.end());
  std::unique_ptr<FileWalk> walk =
      std::make_unique<FolderWalk>(root, std::move(names));
  return walk;
}

}  // namespace swavd::ingest
