#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ops/base/result.h"
#include "state/object_store.h"
#include "state/s3/s3_client.h"

namespace swavd::state {

/// Which bytes of an object, and of which version of it.
struct DownloadRequest {
  std::string key;                     ///< with the store's prefix
  std::uint64_t offset = 0;            ///< of the first byte
  std::optional<std::uint64_t> bytes;  ///< at least 1; nullopt: to the end
  std::string if_match;                ///< etag that it must have; empty: any
  std::string if_none_match;  ///< etag that it must not have; empty: none
};

/// Gives the bytes to `sink`, each once and in order: a connection that breaks
/// is taken up again where it broke, at the same version of the object.
/// nullopt when it has the etag `if_none_match`. The info's `bytes` is the size
/// of the whole object. Errors: kNotFound, kInvalidArgument (no byte at
/// `offset`), kFenced (`if_match` does not hold), kUnavailable; the sink's.
[[nodiscard]] Result<std::optional<ObjectInfo>> download(
    S3Client& client,
    const DownloadRequest& request,
    const std::function<Status(Bytes)>& sink);

/// `etag` without the quotes it is sent in, and with them.
[[nodiscard]] std::string without_quotes(std::string etag);
[[nodiscard]] std::string with_quotes(const std::string& etag);

}  // namespace swavd::state
