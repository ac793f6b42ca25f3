#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/service/http/gate.h"
#include "ops/service/http_server.h"
#include "ops/service/net/listener.h"

namespace swavd::service {

struct WebRequest {
  std::string method;    ///< GET also for HEAD
  std::string path;      ///< decoded, without the query
  bool verbose = false;  ///< ?verbose was there
  std::string body;
};

struct WebAnswer {
  HttpAnswer answer;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct WebOptions {
  bool accept_post = false;
  std::size_t most_body_bytes = 64 << 10U;
  std::chrono::milliseconds patience{5000};  ///< with a slow client
  GateOptions gate;
  /// Called from several threads; an exception becomes an answer of 500.
  std::function<WebAnswer(const WebRequest&)> route;
  /// Paths that threads of their own answer. Empty: none.
  std::function<bool(std::string_view path)> urgent;
  /// Told the code of every answer that did not come from `route`.
  std::function<void(int code)> refused;
  /// Called when nothing is served any more.
  std::function<void()> on_end;
};

/// Serves `options.route` until destroyed: one request a connection.
[[nodiscard]] std::unique_ptr<HttpServer> start_web_server(
    Listener listener,
    WebOptions options);

}  // namespace swavd::service
