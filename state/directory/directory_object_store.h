#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "state/object_store.h"

namespace swavd::state {

/// Objects as files under a folder: the key is the path, the etag the SHA-256
/// of the content. An object appears by rename, synced, whole. Conditions are
/// checked under a lock file, so they hold between processes too, on any
/// filesystem with flock. Names beginning with '.' are the store's own.
class DirectoryObjectStore final : public ObjectStore {
 public:
  /// `root` need not exist; the first put creates it.
  explicit DirectoryObjectStore(std::filesystem::path root);

  [[nodiscard]] Result<std::string> put(
      const std::string& key,
      std::uint64_t bytes,
      const std::function<Result<Bytes>()>& source,
      const PutCondition& condition) override;
  [[nodiscard]] Result<ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) override;
  [[nodiscard]] Result<std::optional<ObjectInfo>> get_if_changed(
      const std::string& key,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override;
  [[nodiscard]] Result<ObjectInfo> get_range(
      const std::string& key,
      std::uint64_t offset,
      std::uint64_t bytes,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override;
  [[nodiscard]] Result<std::vector<ObjectInfo>> list(
      const std::string& prefix) override;
  [[nodiscard]] Status remove(const std::string& key) override;

 private:
  /// kFenced when `condition` does not hold for what lies there now.
  [[nodiscard]] Status check(
      const std::string& key,
      const PutCondition& condition) const;
  [[nodiscard]] std::filesystem::path path_of(const std::string& key) const;

  std::filesystem::path root_;
};

}  // namespace swavd::state
