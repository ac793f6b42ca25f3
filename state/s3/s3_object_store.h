#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "state/object_store.h"
#include "state/s3/s3_client.h"
#include "state/s3/surroundings.h"
#include "state/s3_options.h"

namespace swavd::state {

/// Objects of a bucket whose keys begin with a prefix.
class S3ObjectStore final : public ObjectStore {
 public:
  /// Asks nobody yet. Errors: kInvalidArgument (URL or options).
  [[nodiscard]] static Result<std::unique_ptr<ObjectStore>> open(
      const std::string& url,
      const S3Options& options,
      const Surroundings& surroundings);

  explicit S3ObjectStore(std::unique_ptr<S3Client> client);

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
  [[nodiscard]] Status discard_unfinished(const std::string& prefix) override;

 private:
  [[nodiscard]] std::string full_key(const std::string& key) const;
  /// A range that begins where the object ends, or has no byte.
  [[nodiscard]] Result<ObjectInfo> empty_range(
      const std::string& key,
      std::uint64_t offset,
      const std::string& etag);

  std::unique_ptr<S3Client> client_;
};

}  // namespace swavd::state
