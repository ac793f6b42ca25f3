#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/mutex.h"
#include "state/s3/signer.h"

namespace swavd::state {

/// What came back of one exchange.
struct HttpAnswer {
  int status = 0;                              ///< 0: none came
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;  ///< what no sink was given, at most 16 MiB
  /// Why the exchange broke off: "timeout", "resolve", "connect", "tls",
  /// "truncated", "connection", "sink", "too_large", "given_up"; empty when it
  /// did not.
  std::string failure;
  std::string detail;  ///< of the failure, for people

  /// Empty when there is none.
  [[nodiscard]] std::string header(const std::string& name) const;
};

/// Takes a piece of a 2xx answer's body; `head` has status and headers. False
/// breaks the transfer off.
using BodySink = std::function<bool(const HttpAnswer& head, Bytes piece)>;

struct HttpRequest {
  std::string method;
  std::string url;  ///< encoded; sent as it is
  NameValues headers;
  Bytes body;     ///< borrowed for the call
  BodySink sink;  ///< without: `HttpAnswer::body`
};

struct HttpLimits {
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds stall_timeout{30};
  std::uint64_t upload_bytes_per_second = 0;  ///< 0: no limit
  std::string ca_file;                        ///< empty: the machine's
  bool proxy = true;                          ///< heed http_proxy and its kin
  std::function<bool()> give_up;              ///< S3Options; may be empty
};

/// HTTP over libcurl: no redirects, nothing tried again, connections kept for
/// the next request. Thread-safe; each call in flight has its own connection.
class HttpClient {
 public:
  explicit HttpClient(HttpLimits limits);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  [[nodiscard]] HttpAnswer perform(const HttpRequest& request);

 private:
  class Connection;

  [[nodiscard]] std::unique_ptr<Connection> take();

  const HttpLimits limits_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd::state
