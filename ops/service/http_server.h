#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "metrics/registry.h"
#include "ops/base/result.h"

namespace swavd::service {

struct HttpAnswer {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// What the pages show. All functions are called from server threads and must
/// be thread-safe and quick.
struct HttpHandlers {
  /// Is the process alive? Never asks other services.
  std::function<bool()> live;
  /// Ready, and one line per check for ?verbose ("[+]name ok").
  std::function<bool(std::string* verbose)> ready;
  std::function<std::string()> status_json;
  std::function<void()> before_metrics;  ///< refreshes gauges; may be empty
  /// A PNG of what the prototypes of a set, counted from 0, have gathered,
  /// shown on the page; an empty text while there is none. May be empty.
  std::function<std::string(std::size_t set)> gallery_png;
};

/// Serves /, /status, /gallery.png (/gallery.1.png of the second set of
/// prototypes, and so on), /livez (also as /healthz), /readyz and
/// /metrics, read-only, with a strict content security policy. A pool of its
/// own answers the probes and /metrics, and half a request occupies no thread,
/// so that slow clients cannot starve them.
class HttpServer {
 public:
  HttpServer() = default;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  virtual ~HttpServer() = default;  ///< stops and joins

  /// The port it listens on (of interest when 0 was asked for).
  [[nodiscard]] virtual int port() const = 0;
};

enum class HttpPages { kAll, kProbesAndMetrics };

/// `listen`: "HOST:PORT". `registry` must outlive the server. Errors:
/// kInvalidArgument, kUnavailable (address in use, naming it).
[[nodiscard]] Result<std::unique_ptr<HttpServer>> start_http_server(
    const std::string& listen,
    HttpPages pages,
    HttpHandlers handlers,
    metrics::Registry& registry);

/// One admin command: name and argument in, JSON or text out.
using AdminHandler = std::function<
    HttpAnswer(const std::string& command, const std::string& argument)>;

/// Serves POST /COMMAND on a Unix socket (mode 0660), the argument being the
/// body (64 KiB at most), and GET /status. The handler is called from several
/// threads. The socket file of a dead daemon is replaced. Errors: kUnavailable
/// (a live one serves it, naming the path), kIo.
[[nodiscard]] Result<std::unique_ptr<HttpServer>> start_admin_socket(
    const std::string& path,
    AdminHandler handler);

/// The client side, for swavctl. Errors: kUnavailable (nobody listens there,
/// naming the path), kIo; an answer of 400 or above becomes kInvalidArgument
/// with its text.
[[nodiscard]] Result<std::string> admin_call(
    const std::string& socket_path,
    const std::string& command,
    const std::string& argument);

}  // namespace swavd::service
