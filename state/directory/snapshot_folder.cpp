#include "state/directory/snapshot_folder.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "ops/base/files.h"
#include "state/content/snapshot_content.h"
#include "state/content/snapshot_info.h"
#include "state/directory/file_writer.h"

namespace swavd::state {

namespace {

class FolderReader final : public SnapshotReader {
 public:
  FolderReader(
      std::filesystem::path folder,
      std::string text,
      Manifest manifest)
      : folder_(std::move(folder)),
        text_(std::move(text)),
        manifest_(std::move(manifest)),
        id_(snapshot_id(manifest_.step, text_)) {}

  [[nodiscard]] const std::string& id() const override { return id_; }

  [[nodiscard]] const Manifest& manifest() const override { return manifest_; }

  [[nodiscard]] const std::string& manifest_text() const override {
    return text_;
  }

  [[nodiscard]] Status read(
      const std::string& name,
      const std::function<Status(Bytes)>& sink) override {
    if (find_file(manifest_, name) == nullptr) {
      return no_such_file(id_, name);
    }
    return stream_file(folder_ / name, sink);
  }

  [[nodiscard]] bool has_ranges() const override { return true; }

  [[nodiscard]] Status read_range(
      const std::string& name,
      const ByteRange& range,
      const std::function<Status(Bytes)>& sink) override {
    if (find_file(manifest_, name) == nullptr) {
      return no_such_file(id_, name);
    }
    return stream_file(folder_ / name, sink, {range.offset, range.bytes});
  }

 private:
  std::filesystem::path folder_;
  std::string text_;
  Manifest manifest_;
  std::string id_;
};

class FolderCatalog final : public SnapshotCatalog {
 public:
  explicit FolderCatalog(std::filesystem::path folder)
      : folder_(std::move(folder)) {}

  [[nodiscard]] Result<std::vector<SnapshotInfo>> list() override {
    const auto reader = load();
    if (!reader.ok()) {
      return reader.error();
    }
    const SnapshotReader& snapshot = *reader.value();
    return std::vector<SnapshotInfo>{
        info_of(snapshot.manifest(), snapshot.manifest_text())};
  }

  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> open(
      const std::string& id) override {
    auto reader = load();
    if (reader.ok() && reader.value()->id() != id) {
      return Error{
          ErrorCode::kNotFound,
          fmt::format(
              "{} holds snapshot {}, not {}",
              folder_.string(),
              reader.value()->id(),
              id)};
    }
    return reader;
  }

 private:
  [[nodiscard]] Result<std::unique_ptr<SnapshotReader>> load() const {
    const auto bytes = read_file(folder_ / kManifestFile);
    if (!bytes.ok()) {
      return bytes.error();
    }
    std::string text(as_text(bytes.value()));
    auto manifest = parse_manifest(text);
    if (!manifest.ok()) {
      return manifest.error().with_context(folder_.string());
    }
    return std::unique_ptr<SnapshotReader>(std::make_unique<FolderReader>(
        folder_, std::move(text), std::move(manifest).value()));
  }

  std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<SnapshotCatalog> open_snapshot_folder(
    std::filesystem::path folder) {
  return std::make_unique<FolderCatalog>(std::move(folder));
}

}  // namespace swavd::state
