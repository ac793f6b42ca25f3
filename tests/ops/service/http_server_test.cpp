#include "ops/service/http_server.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include "ops/base/stage.h"
#include "ops/service/http/page.h"
#include "ops/service/http/web_server.h"
#include "tests/ops/service/raw_client.h"

namespace swavd::service {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    handlers_.live = [this] { return live_.load(); };
    handlers_.ready = [this](std::string* verbose) {
      *verbose = "[+]restored ok\n[-]assigned";
      return ready_.load();
    };
    handlers_.status_json = [] { return std::string(R"({"step":7})"); };
    handlers_.before_metrics = [this] {
      registry_.set(metrics::Id::kTrainStep, 7);
    };
  }

  void start(HttpPages pages = HttpPages::kAll) {
    auto server = start_http_server("127.0.0.1:0", pages, handlers_, registry_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
  }

  [[nodiscard]] int port() const { return server_->port(); }

  httplib::Response get(const std::string& path) const {
    httplib::Client client("127.0.0.1", port());
    auto result = client.Get(path);
    EXPECT_TRUE(result) << path;
    return result ? *result : httplib::Response{};
  }

  metrics::Registry registry_;
  HttpHandlers handlers_;
  std::atomic<bool> live_ = true;
  std::atomic<bool> ready_ = true;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersTheProbes) {
  start();
  EXPECT_EQ(get("/livez").status, 200);
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_EQ(get("/readyz").body, "ok\n");
  ready_ = false;
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/livez").status, 200);
  live_ = false;
  EXPECT_EQ(get("/livez").status, 503);
}

TEST_F(HttpServerTest, NamesTheChecksWhenAskedVerbosely) {
  start();
  EXPECT_EQ(get("/readyz?verbose").body, "[+]restored ok\n[-]assigned\nok\n");
}

TEST_F(HttpServerTest, ServesMetricsThatWereRefreshedJustBefore) {
  start();
  const auto answer = get("/metrics");
  EXPECT_EQ(
      answer.get_header_value("Content-Type"),
      "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(answer.body, HasSubstr("\nswavd_train_step 7\n"));
}

TEST_F(HttpServerTest, ServesTheStatusAsJson) {
  start();
  const auto answer = get("/status");
  EXPECT_EQ(answer.body, R"({"step":7})");
  EXPECT_EQ(answer.get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(answer.get_header_value("Cache-Control"), "no-store");
}

TEST_F(HttpServerTest, ServesThePageUnderAPolicyOfItsHashes) {
  start();
  const auto answer = get("/");
  EXPECT_THAT(answer.body, StartsWith("<!doctype html>"));
  const std::string policy = answer.get_header_value("Content-Security-Policy");
  EXPECT_EQ(policy, content_security_policy(answer.body));
  EXPECT_THAT(policy, HasSubstr("default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_EQ(answer.get_header_value("X-Content-Type-Options"), "nosniff");
}

TEST_F(HttpServerTest, ThePageAsksNobodyElse) {
  start();
  const std::string page = get("/").body;
  std::string without_namespace = page;
  const std::string svg = "http://www.w3.org/2000/svg";
  const auto at = without_namespace.find(svg);
  ASSERT_NE(at, std::string::npos);
  without_namespace.erase(at, svg.size());
  EXPECT_THAT(without_namespace, Not(HasSubstr("http")));
  EXPECT_THAT(without_namespace, Not(HasSubstr("src=\"//")));
  EXPECT_THAT(page, Not(HasSubstr("innerHTML")));
  EXPECT_THAT(page, Not(HasSubstr(" style=")));
}

// The value is from RFC 6234's test vector for "abc".
TEST(ContentSecurityPolicy, HashesWhatStandsBetweenTheTags) {
  EXPECT_THAT(
      content_security_policy("<style></style><script>abc</script>"),
      AllOf(
          HasSubstr("script-src "
                    "'sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='"),
          HasSubstr("style-src "
                    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='")));
  EXPECT_THAT(
      content_security_policy("nothing"), HasSubstr("script-src 'none'"));
}

TEST_F(HttpServerTest, ServesTheGalleryOnceThereIsOne) {
  std::atomic<bool> there = false;
  handlers_.gallery_png = [&there](std::size_t set) {
    return there && set == 0 ? std::string("\x89PNG") : std::string();
  };
  start();
  EXPECT_EQ(get("/gallery.png").status, 404);
  there = true;
  EXPECT_EQ(get("/gallery.png").status, 200);
  EXPECT_EQ(get("/gallery.png").body, "\x89PNG");
  EXPECT_EQ(get("/gallery.png").get_header_value("Content-Type"), "image/png");
}

TEST_F(HttpServerTest, ServesAGalleryForEachSetOfPrototypes) {
  handlers_.gallery_png = [](std::size_t set) {
    return set < 13 ? "set " + std::to_string(set) : std::string();
  };
  start();
  EXPECT_EQ(get("/gallery.png").body, "set 0");
  EXPECT_EQ(get("/gallery.1.png").body, "set 1");
  EXPECT_EQ(get("/gallery.12.png").body, "set 12");
  for (const char* path :
       {"/gallery.13.png",
        "/gallery.0.png",
        "/gallery.01.png",
        "/gallery..png",
        "/gallery.-1.png",
        "/gallery.1x.png",
        "/gallery.1.png.png",
        "/gallery.99999.png"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
  // However many paths there are, the metric has one series for them.
  EXPECT_EQ(
      registry_.value(metrics::Id::kHttpRequests, {"/gallery.png", "200"}), 3);
}

TEST_F(HttpServerTest, TheOuterListenerServesProbesAndMetricsOnly) {
  start(HttpPages::kProbesAndMetrics);
  EXPECT_EQ(get("/livez").status, 200);
  EXPECT_EQ(get("/readyz").status, 200);
  EXPECT_EQ(get("/metrics").status, 200);
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/status").status, 404);
  EXPECT_EQ(get("/gallery.png").status, 404);
}

TEST_F(HttpServerTest, UnknownPathsAreNotFoundAndNoFolderIsListed) {
  start();
  for (const char* path :
       {"/nothing",
        "/status/",
        "/../etc/passwd",
        "/%2e%2e/x",
        "//",
        "/.",
        "/index.html"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(HttpServerTest, OnlyReadsAreAllowed) {
  start();
  httplib::Client client("127.0.0.1", port());
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    httplib::Request request;
    request.method = method;
    request.path = "/status";
    request.body = "x";
    const auto result = client.send(request);
    ASSERT_TRUE(result) << method;
    EXPECT_EQ(result->status, 405) << method;
    EXPECT_EQ(result->get_header_value("Allow"), "GET, HEAD");
  }
}

TEST_F(HttpServerTest, HeadGivesTheHeadersAlone) {
  start();
  const std::string answer =
      RawClient(port()).exchange("HEAD /status HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 10\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, RangesAreIgnored) {
  start();
  std::string ranges = "bytes=0-1";
  while (ranges.size() < 7000) {
    ranges += ",0-";
  }
  const std::string answer = RawClient(port()).exchange(fmt::format(
      "GET /status HTTP/1.1\r\nHost: x\r\nRange: {}\r\n\r\n", ranges));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(answer.ends_with(R"({"step":7})"));
}

TEST_F(HttpServerTest, OddRequestsAreRefusedAndServingGoesOn) {
  start();
  EXPECT_THAT(
      RawClient(port()).exchange("nonsense\r\n\r\n"),
      StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(
      RawClient(port()).exchange(
          "GET /" + std::string(5000, 'a') + " HTTP/1.1\r\n\r\n"),
      StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(
      RawClient(port()).exchange(
          "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a')),
      StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(
      RawClient(port()).exchange("\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(get("/livez").status, 200);
}

TEST_F(HttpServerTest, CountsAnswersByPageAndCode) {
  start();
  get("/livez");
  get("/livez");
  get("/elsewhere");
  const auto count = [this](std::string_view handler, std::string_view code) {
    return registry_.value(metrics::Id::kHttpRequests, {handler, code});
  };
  EXPECT_EQ(count("/livez", "200"), 2);
  EXPECT_EQ(count("other", "404"), 1);
  EXPECT_EQ(count("/elsewhere", "404"), 0);
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsAnsweredWith500WithoutItsWords) {
  handlers_.status_json = []() -> std::string {
    throw std::runtime_error("secret words");
  };
  start();
  httplib::Client client("127.0.0.1", port());
  const auto result = client.Get("/status");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 500);
  EXPECT_EQ(result->body, "500\n");
  for (const auto& [name, value] : result->headers) {
    EXPECT_THAT(value, Not(HasSubstr("secret")));
  }
}

TEST_F(HttpServerTest, HalfSentRequestsStarveNobody) {
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 32; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send("GET / HTTP/1.1\r\nHost: x\r\n");
  }
  for (const char* path : {"/livez", "/readyz", "/metrics", "/"}) {
    const auto begun = steady_clock::now();
    EXPECT_EQ(get(path).status, 200);
    EXPECT_LT(steady_clock::now() - begun, milliseconds(1000)) << path;
  }
  // They were waiting all the while: each is answered once it is whole.
  EXPECT_THAT(clients[7]->exchange("\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AStuckPageDoesNotHoldUpTheProbes) {
  std::latch stuck(2);
  std::latch release(1);
  handlers_.status_json = [&] {
    stuck.count_down();
    release.wait();
    return std::string("{}");
  };
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    clients.back()->send("GET /status HTTP/1.1\r\n\r\n");
  }
  stuck.wait();
  EXPECT_EQ(get("/livez").status, 200);
  EXPECT_EQ(get("/metrics").status, 200);
  release.count_down();
  for (const auto& client : clients) {
    EXPECT_THAT(client->receive_all(), StartsWith("HTTP/1.1 200"));
  }
}

TEST_F(HttpServerTest, ABusyAddressIsNamed) {
  start();
  const std::string listen = fmt::format("127.0.0.1:{}", port());
  const auto second =
      start_http_server(listen, HttpPages::kAll, handlers_, registry_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      second.error().message,
      AllOf(HasSubstr(listen), HasSubstr("Address already in use")));
}

TEST_F(HttpServerTest, AnAddressThatIsNoneIsRefused) {
  for (const char* listen : {"", "9464", "127.0.0.1:x", "::1:80", "h h:1"}) {
    const auto server =
        start_http_server(listen, HttpPages::kAll, handlers_, registry_);
    ASSERT_FALSE(server.ok()) << listen;
    EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument) << listen;
  }
}

TEST_F(HttpServerTest, ThePortIsFreeAgainAfterTheEnd) {
  start();
  const std::string listen = fmt::format("127.0.0.1:{}", port());
  const RawClient idle(port());
  server_.reset();
  EXPECT_TRUE(
      start_http_server(listen, HttpPages::kAll, handlers_, registry_).ok());
}

// The server underneath, with time-outs short enough for a test.
class WebServerTest : public testing::Test {
 protected:
  void start() {
    options_.route = [](const WebRequest& request) {
      return WebAnswer{{200, "text/plain", request.path}, {}};
    };
    options_.refused = [this](int code) { refused_ = code; };
    auto listener = listen_tcp({"127.0.0.1", 0});
    ASSERT_TRUE(listener.ok());
    server_ = start_web_server(std::move(listener).value(), options_);
  }

  WebOptions options_;
  std::atomic<int> refused_ = 0;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(WebServerTest, HalfARequestIsGivenUpAfterItsTime) {
  options_.gate.head_timeout = milliseconds(30);
  start();
  EXPECT_THAT(
      RawClient(server_->port()).exchange("GET /x HTT"),
      StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(refused_, 408);
}

TEST_F(WebServerTest, AConnectionWithoutAByteIsClosedWithoutAWord) {
  options_.gate.head_timeout = milliseconds(30);
  start();
  EXPECT_EQ(RawClient(server_->port()).receive_all(), "");
  EXPECT_EQ(refused_, 0);
}

TEST_F(WebServerTest, TheOldestWaitingClientGivesWayToANewOne) {
  options_.gate.most_waiting = 2;
  start();
  const RawClient first(server_->port());
  const RawClient second(server_->port());
  const RawClient third(server_->port());
  EXPECT_THAT(first.receive_all(), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(
      second.exchange("GET /two HTTP/1.1\r\n\r\n"), HasSubstr("\r\n\r\n/two"));
  EXPECT_THAT(
      third.exchange("GET /three HTTP/1.1\r\n\r\n"),
      HasSubstr("\r\n\r\n/three"));
}

TEST_F(WebServerTest, AHeadMayComeInPieces) {
  start();
  const RawClient client(server_->port());
  for (const char c : std::string("GET /slow HTTP/1.1\r\nA: b\r\n\r")) {
    client.send(std::string(1, c));
  }
  EXPECT_THAT(client.exchange("\n"), HasSubstr("\r\n\r\n/slow"));
}

TEST_F(WebServerTest, ABodyThatNeverComesIsGivenUp) {
  options_.accept_post = true;
  options_.patience = milliseconds(30);
  start();
  const std::string answer = RawClient(server_->port())
                                 .exchange(
                                     "POST /x HTTP/1.1\r\n"
                                     "Content-Length: 10\r\n\r\nabc");
  EXPECT_THAT(answer, Not(HasSubstr(" 200 ")));
}

TEST(PathOfHead, IsTheTargetWithoutItsQuery) {
  EXPECT_EQ(path_of_head("GET /a/b?c#d HTTP/1.1\r\n"), "/a/b");
  EXPECT_EQ(path_of_head("GET /"), "/");
  EXPECT_EQ(path_of_head("GET"), "");
}

}  // namespace
}  // namespace swavd::service
