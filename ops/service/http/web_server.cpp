#include "ops/service/http/web_server.h"

#include <optional>
#include <utility>

#include "ops/base/bounded_queue.h"
#include "ops/base/stage.h"
#include "ops/service/http/exchange.h"

namespace swavd::service {
namespace {

constexpr int kThreads = 2;  // of each pool
constexpr std::size_t kBacklog = 64;

// Threads that answer the connections of one queue.
class Pool {
 public:
  Pool(const std::string& name, Exchange& exchange) {
    for (int i = 0; i < kThreads; ++i) {
      threads_.emplace_back(name, [this, &exchange](const std::stop_token&) {
        while (auto connection = queue_.pop()) {
          exchange.run(std::move(*connection));
        }
      });
    }
  }

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  ~Pool() { queue_.close(); }

  // False when the backlog is full; `connection` is left as it was.
  bool take(Connection& connection) { return queue_.try_push(connection); }

 private:
  BoundedQueue<Connection> queue_{kBacklog};
  std::vector<Stage> threads_;
};

class WebServer final : public HttpServer {
 public:
  WebServer(Listener listener, WebOptions options)
      : port_(listener.port),
        options_(std::move(options)),
        exchange_(options_),
        others_("http-page", exchange_),
        urgent_("http-probe", exchange_),
        gate_(
            std::in_place,
            std::move(listener),
            options_.gate,
            [this](Connection connection) { deliver(std::move(connection)); },
            options_.refused) {}

  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  ~WebServer() override {
    gate_.reset();
    if (options_.on_end) {
      options_.on_end();
    }
  }

  [[nodiscard]] int port() const override { return port_; }

 private:
  void deliver(Connection connection) {
    const bool urgent =
        options_.urgent && options_.urgent(path_of_head(connection.received));
    if (!(urgent ? urgent_ : others_).take(connection)) {
      send_refusal(connection.socket, 503);
      options_.refused(503);
    }
  }

  int port_;
  WebOptions options_;
  Exchange exchange_;
  Pool others_;
  Pool urgent_;
  std::optional<Gate> gate_;
};

}  // namespace

std::unique_ptr<HttpServer> start_web_server(
    Listener listener,
    WebOptions options) {
  if (!options.refused) {
    options.refused = [](int) {};
  }
  return std::make_unique<WebServer>(std::move(listener), std::move(options));
}

}  // namespace swavd::service
