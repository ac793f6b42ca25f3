#include "ops/service/http_server.h"

#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "ops/base/check.h"
#include "ops/service/http/page.h"
#include "ops/service/http/web_server.h"
#include "ops/service/net/endpoint.h"

namespace swavd::service {
namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kHtml = "text/html; charset=utf-8";
constexpr const char* kPng = "image/png";
constexpr const char* kMetrics = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kNoScripts = "default-src 'none'; frame-ancestors 'none'";

bool is_probe(std::string_view path) {
  return path == "/livez" || path == "/healthz" || path == "/readyz" ||
         path == "/metrics";
}

/// The set of prototypes whose gallery is at `path`: 0 of "/gallery.png", 1 of
/// "/gallery.1.png"; nullopt of any other path.
std::optional<std::size_t> gallery_set(std::string_view path) {
  constexpr std::string_view kFront = "/gallery.";
  constexpr std::string_view kBack = ".png";
  constexpr std::size_t kMostDigits = 4;
  if (path == "/gallery.png") {
    return 0;
  }
  if (!path.starts_with(kFront) || !path.ends_with(kBack) ||
      path.size() <= kFront.size() + kBack.size()) {
    return std::nullopt;
  }
  const std::string_view number =
      path.substr(kFront.size(), path.size() - kFront.size() - kBack.size());
  std::size_t set = 0;
  const char* end = number.data() + number.size();
  const auto [read, error] = std::from_chars(number.data(), end, set);
  const bool good = error == std::errc() && read == end && set > 0 &&
                    number.front() != '0' && number.size() <= kMostDigits;
  return good ? std::optional(set) : std::nullopt;
}

// The daemon's pages.
class Pages {
 public:
  Pages(HttpPages pages, HttpHandlers handlers, metrics::Registry& registry)
      : pages_(pages),
        handlers_(std::move(handlers)),
        registry_(registry) {
    SWAVD_CHECK(page_files().size() == 1);
    index_ = page_files()[0].text;
    index_policy_ = content_security_policy(index_);
  }

  WebAnswer route(const WebRequest& request) const {
    const auto begun = std::chrono::steady_clock::now();
    const std::string& path = request.path;
    std::string_view handler = path;
    HttpAnswer answer;
    if (is_probe(path)) {
      answer = probe(request);
    } else if (pages_ == HttpPages::kAll && path == "/") {
      answer = {200, kHtml, std::string(index_)};
    } else if (
        pages_ == HttpPages::kAll && path == "/status" &&
        handlers_.status_json) {
      answer = {200, kJson, handlers_.status_json()};
    } else if (const auto set = gallery_set(path);
               set && pages_ == HttpPages::kAll && handlers_.gallery_png) {
      handler = "/gallery.png";
      answer = gallery(*set);
    } else {
      handler = "other";
      answer = {404, HttpAnswer{}.content_type, "404 no such page\n"};
    }
    count(handler, answer.code);
    registry_.observe(
        metrics::Id::kHttpDuration,
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun)
            .count(),
        {handler});
    return {
        std::move(answer),
        {{"Content-Security-Policy",
          path == "/" ? index_policy_ : kNoScripts}}};
  }

  void count(std::string_view handler, int code) const {
    registry_.add(
        metrics::Id::kHttpRequests, 1, {handler, std::to_string(code)});
  }

 private:
  [[nodiscard]] HttpAnswer probe(const WebRequest& request) const {
    if (request.path == "/metrics") {
      if (handlers_.before_metrics) {
        handlers_.before_metrics();
      }
      return {200, kMetrics, registry_.serialize()};
    }
    std::string lines;
    const bool about_ready = request.path == "/readyz";
    const bool good = about_ready ? !handlers_.ready || handlers_.ready(&lines)
                                  : !handlers_.live || handlers_.live();
    HttpAnswer answer;
    answer.code = good ? 200 : 503;
    if (request.verbose) {
      answer.body = lines;
      if (!lines.empty() && !lines.ends_with('\n')) {
        answer.body += '\n';
      }
    }
    answer.body += good ? "ok\n" : (about_ready ? "not ready\n" : "not live\n");
    return answer;
  }

  [[nodiscard]] HttpAnswer gallery(std::size_t set) const {
    std::string png = handlers_.gallery_png(set);
    if (png.empty()) {
      return {404, HttpAnswer{}.content_type, "404 nothing gathered yet\n"};
    }
    return {200, kPng, std::move(png)};
  }

  HttpPages pages_;
  HttpHandlers handlers_;
  metrics::Registry& registry_;
  std::string_view index_;
  std::string index_policy_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> start_http_server(
    const std::string& listen,
    HttpPages pages,
    HttpHandlers handlers,
    metrics::Registry& registry) {
  const auto endpoint = parse_endpoint(listen);
  if (!endpoint.ok()) {
    return endpoint.error();
  }
  auto listener = listen_tcp(endpoint.value());
  if (!listener.ok()) {
    return listener.error();
  }
  // Shared by the two functions that the server holds.
  const auto site =
      std::make_shared<Pages>(pages, std::move(handlers), registry);
  WebOptions options;
  options.route = [site](const WebRequest& request) {
    return site->route(request);
  };
  options.urgent = is_probe;
  options.refused = [site](int code) { site->count("none", code); };
  return start_web_server(std::move(listener).value(), std::move(options));
}

}  // namespace swavd::service
