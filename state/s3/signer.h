#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace swavd::state {

/// Names and values in the order they are sent; a name may come twice.
using NameValues = std::vector<std::pair<std::string, std::string>>;

/// A key to sign with. Never formatted, never logged.
struct SigningKey {
  std::string id;      ///< access key id
  std::string secret;  ///< secret access key
};

/// For which place and moment a signature holds.
struct SigningScope {
  std::string region;   ///< "eu-central-1"
  std::string service;  ///< "s3"
  std::string time;     ///< "20150830T123600Z": what x-amz-date says
};

/// The parts of a request that are signed, none of them encoded yet.
struct RequestToSign {
  std::string method;
  std::string path;  ///< "/bucket/key"
  NameValues query;
  NameValues headers;       ///< all of them are signed; host must be there
  std::string body_sha256;  ///< 64 hexadecimal digits
};

/// `unix_ms` as a signature writes it: "20150830T123600Z".
[[nodiscard]] std::string signing_time(std::int64_t unix_ms);

/// The query as it is signed and sent: encoded, sorted, "uploads=" for a name
/// without a value.
[[nodiscard]] std::string canonical_query(const NameValues& query);

/// What is hashed and signed: the request in its one canonical form. As S3
/// wants it: a path is encoded once, and "." and ".." stay in it.
[[nodiscard]] std::string canonical_request(const RequestToSign& request);

/// The value of the Authorization header: AWS Signature Version 4.
[[nodiscard]] std::string authorization(
    const RequestToSign& request,
    const SigningScope& scope,
    const SigningKey& key);

}  // namespace swavd::state
