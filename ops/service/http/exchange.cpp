#include "ops/service/http/exchange.h"

#include <exception>
#include <utility>

#include "ops/base/log.h"
#include "ops/service/http/socket_stream.h"

namespace swavd::service {
namespace {

using Handled = httplib::Server::HandlerResponse;

constexpr const char* kText = "text/plain; charset=utf-8";
// Ours have a dozen characters; httplib's patterns recurse over each.
constexpr std::size_t kLongestPath = 256;

// Every page is for its own origin alone and is never guessed at.
httplib::Headers common_headers() {
  return {
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
}

std::string words(std::exception_ptr error) {
  try {
    std::rethrow_exception(std::move(error));
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown exception";
  }
}

bool reads_only(const std::string& method) {
  return method == "GET" || method == "HEAD";
}

}  // namespace

Exchange::Exchange(const WebOptions& options) : options_(options) {
  set_default_headers(common_headers());
  set_payload_max_length(options.most_body_bytes);
  // Before routing, so that no pattern and no body of a refused method is
  // looked at. Only POST goes on to the handler that has read the body.
  set_pre_routing_handler([this](const auto& request, auto& response) {
    if (request.path.size() > kLongestPath) {
      response.status = 404;
      return Handled::Handled;
    }
    if (reads_only(request.method)) {
      answer(request, response);
      return Handled::Handled;
    }
    if (request.method == "POST" && options_.accept_post) {
      return Handled::Unhandled;
    }
    response.status = 405;
    response.set_header(
        "Allow", options_.accept_post ? "GET, HEAD, POST" : "GET, HEAD");
    return Handled::Handled;
  });
  Post("/.*", [this](const httplib::Request& request, auto& response) {
    answer(request, response);
  });
  set_exception_handler([](const auto& request, auto& response, auto error) {
    log(LogLevel::kError,
        "http_handler_failed",
        words(error),
        {{"path", request.path}});
    response.status = 500;
  });
  set_error_handler(httplib::Server::HandlerWithResponse(
      [this](const httplib::Request& /*request*/, httplib::Response& response) {
        if (response.body.empty()) {
          options_.refused(response.status);
          response.set_content(std::to_string(response.status) + "\n", kText);
        }
        return Handled::Handled;
      }));
}

void Exchange::answer(
    const httplib::Request& request,
    httplib::Response& response) {
  WebRequest ours;
  ours.method = request.method == "HEAD" ? "GET" : request.method;
  ours.path = request.path;
  ours.verbose = request.has_param("verbose");
  ours.body = request.body;
  WebAnswer answer = options_.route(ours);
  response.status = answer.answer.code;
  for (const auto& [name, value] : answer.headers) {
    response.set_header(name, value);
  }
  response.set_content(
      std::move(answer.answer.body), answer.answer.content_type);
}

void Exchange::run(Connection connection) {
  SocketStream stream(std::move(connection), options_.patience);
  bool closed = false;
  process_request(
      stream, /*close_connection=*/true, closed, [](httplib::Request& request) {
        // A few bytes of header could ask for a thousand copies of a page.
        request.ranges.clear();
      });
  stream.finish();
}

}  // namespace swavd::service
