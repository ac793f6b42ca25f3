#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "state/object_store.h"
#include "state/s3/part_reader.h"
#include "state/s3/s3_client.h"

namespace swavd::state {

/// One put of one object. The object carries a name of this put's own in its
/// metadata, so that a put whose answer got lost finds out whether it won.
class Upload {
 public:
  /// `client` is borrowed. `key`: with the store's prefix.
  Upload(S3Client& client, std::string key, const PutCondition& condition);
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  /// Aborts what was begun in parts and not completed.
  ~Upload();

  /// In one request; gives the etag. Errors: kFenced, kUnavailable, kExhausted.
  [[nodiscard]] Result<std::string> put_whole(Bytes body);

  /// In parts of `part_bytes`. Errors: as `put_whole`, and those of `reader`.
  [[nodiscard]] Result<std::string> put_parts(
      PartReader& reader,
      std::uint64_t part_bytes);

 private:
  [[nodiscard]] NameValues condition_headers() const;
  [[nodiscard]] Status begin_parts();
  [[nodiscard]] Status put_part(std::size_t number, Bytes body);
  [[nodiscard]] Result<std::string> complete();
  /// What became of the put that `answer` ends: the etag, or why not.
  [[nodiscard]] Result<std::string>
  settle(const S3Request& request, const S3Answer& answer, std::string etag);
  /// The etag of what lies there, if it is of this very put.
  [[nodiscard]] std::optional<std::string> own_etag();

  S3Client& client_;
  const std::string key_;
  const PutCondition condition_;
  const std::string stamp_;
  std::string upload_id_;  ///< empty: nothing to abort
  std::vector<std::string> part_etags_;
};

/// Aborts the uploads in parts below `prefix` (the store's included) that
/// nobody completed. Errors: kUnavailable.
[[nodiscard]] Status abort_uploads(S3Client& client, const std::string& prefix);

}  // namespace swavd::state
