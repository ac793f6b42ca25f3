#pragma once

#include <httplib.h>

#include "ops/service/http/gate.h"
#include "ops/service/http/web_server.h"

namespace swavd::service {

/// Answers one request on a connection. httplib reads the request and writes
/// the answer; its own sockets and threads are not used. Thread-safe.
class Exchange : private httplib::Server {
 public:
  explicit Exchange(const WebOptions& options);

  void run(Connection connection);

 private:
  void answer(const httplib::Request& request, httplib::Response& response);

  const WebOptions& options_;
};

}  // namespace swavd::service
