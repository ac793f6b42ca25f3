#pragma once

#include <string>

#include "ops/base/result.h"
#include "state/s3/surroundings.h"
#include "state/s3_options.h"

namespace swavd::state {

/// Where the objects of one store lie, resolved from URL, options and
/// environment.
struct S3Location {
  std::string bucket;
  std::string prefix;  ///< of every key: "" or "a/b/"
  std::string region;
  std::string scheme;  ///< "https" or "http"
  std::string host;    ///< with ":PORT" where it is not the scheme's own
  bool bucket_in_host = false;

  /// The path of a key (prefix included; empty: the bucket itself), not yet
  /// encoded.
  [[nodiscard]] std::string path_of(const std::string& key) const;

  /// "s3://BUCKET/KEY", for messages.
  [[nodiscard]] std::string name_of(const std::string& key) const;
};

/// Errors: kInvalidArgument, saying what to write instead.
[[nodiscard]] Result<S3Location> locate(
    const std::string& url,
    const S3Options& options,
    const Surroundings& surroundings);

}  // namespace swavd::state
