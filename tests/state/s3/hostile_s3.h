#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/mutex.h"
#include "ops/base/stage.h"

namespace swavd::state {

/// A request as the server read it.
struct SeenRequest {
  std::string method;
  std::string target;                          ///< path and query, as sent
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

/// What the server does with a request.
struct Reply {
  int status = 200;
  std::string body = {};
  std::map<std::string, std::string> headers = {};
  bool stall = false;   ///< says nothing until the client goes away
  bool silent = false;  ///< closes the connection instead
  std::size_t cut = 0;  ///< leaves out so many bytes of the body, then closes
};

/// S3's <Error> document with `code`.
[[nodiscard]] Reply s3_error(int status, const std::string& code);

/// An HTTP server on 127.0.0.1 that does what a script says: what a real S3
/// server rarely does. One request at a time; each is kept.
class HostileS3 {
 public:
  /// `script` is asked for each request; `number` counts them from 0.
  using Script = std::function<Reply(const SeenRequest&, std::size_t number)>;

  explicit HostileS3(Script script);
  HostileS3(const HostileS3&) = delete;
  HostileS3& operator=(const HostileS3&) = delete;
  ~HostileS3();

  /// "http://127.0.0.1:PORT"
  [[nodiscard]] std::string endpoint() const;

  [[nodiscard]] std::vector<SeenRequest> seen() const;

 private:
  void serve(const std::stop_token& stop);
  void serve_connection(int connection, const std::stop_token& stop);

  Script script_;
  int listener_ = -1;
  int port_ = 0;
  mutable Mutex mutex_;
  std::vector<SeenRequest> seen_ SWAVD_GUARDED_BY(mutex_);
  std::unique_ptr<Stage> stage_;
};

}  // namespace swavd::state
