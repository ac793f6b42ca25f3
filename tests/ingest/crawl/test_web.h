#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>

#include "ops/base/mutex.h"
#include "ops/base/stage.h"

namespace swavd::ingest::testing {

/// The requests that reached the servers of a test, in order. Thread-safe.
class Visits {
 public:
  struct Visit {
    std::string host;
    std::string path;
    std::string user_agent;
    bool wants_compression = false;
    std::chrono::steady_clock::time_point began;
    std::chrono::steady_clock::time_point ended;
  };

  /// Notes a request that begins and gives its number.
  std::size_t begin(Visit visit) {
    const MutexLock lock(mutex_);
    visits_.push_back(std::move(visit));
    changed_.notify_all();
    return visits_.size() - 1;
  }

  void end(std::size_t number) {
    const MutexLock lock(mutex_);
    visits_[number].ended = std::chrono::steady_clock::now();
  }

  [[nodiscard]] std::vector<Visit> all() const {
    const MutexLock lock(mutex_);
    return visits_;
  }

  [[nodiscard]] std::size_t count() const {
    const MutexLock lock(mutex_);
    return visits_.size();
  }

  void wait_for(std::size_t count) {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [&]() SWAVD_REQUIRES(mutex_) {
      return visits_.size() >= count;
    });
  }

  /// For what must not happen: whether `count` is reached within `timeout`.
  [[nodiscard]] bool reaches(
      std::size_t count,
      std::chrono::milliseconds timeout) {
    const MutexLock lock(mutex_);
    return changed_.wait_for(mutex_, timeout, [&]() SWAVD_REQUIRES(mutex_) {
      return visits_.size() >= count;
    });
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Visit> visits_ SWAVD_GUARDED_BY(mutex_);
};

/// Closed until opened: holds a server's answer back.
class Gate {
 public:
  void open() {
    const MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  void wait() {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [this]() SWAVD_REQUIRES(mutex_) { return open_; });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ SWAVD_GUARDED_BY(mutex_) = false;
};

/// A real HTTP server on a loopback address and a port of its own.
class TestWeb {
 public:
  using Handler =
      std::function<void(const httplib::Request&, httplib::Response&)>;

  /// Answers every request by `handler`. `visits` must outlive it.
  TestWeb(Visits& visits, Handler handler, std::string host = "127.0.0.1")
      : host_(std::move(host)) {
    server_.set_address_family(AF_INET);
    server_.set_tcp_nodelay(true);
    server_.set_keep_alive_timeout(1);
    server_.set_pre_routing_handler(
        [this, &visits, handler = std::move(handler)](
            const httplib::Request& request, httplib::Response& response) {
          const std::size_t number = visits.begin(
              {host_,
               request.path,
               request.get_header_value("User-Agent"),
               request.has_header("Accept-Encoding"),
               std::chrono::steady_clock::now(),
               {}});
          response.status = 200;
          handler(request, response);
          visits.end(number);
          return httplib::Server::HandlerResponse::Handled;
        });
    port_ = server_.bind_to_any_port(host_);
    Gate begun;
    server_.new_task_queue = [&begun] {
      begun.open();
      return new httplib::ThreadPool(8);  // the library owns it
    };
    listener_ = std::make_unique<Stage>(
        "test-web",
        [this](const std::stop_token&) { server_.listen_after_bind(); });
    begun.wait();
  }

  TestWeb(const TestWeb&) = delete;
  TestWeb& operator=(const TestWeb&) = delete;

  ~TestWeb() { server_.stop(); }

  [[nodiscard]] std::uint16_t port() const {
    return static_cast<std::uint16_t>(port_);
  }

  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://" + host_ + ":" + std::to_string(port_) + path;
  }

 private:
  std::string host_;
  httplib::Server server_;
  int port_ = 0;
  std::unique_ptr<Stage> listener_;
};

/// Bytes that look like a PNG and end in `mark`.
inline std::string png(const std::string& mark = "") {
  return std::string("\x89PNG\r\n\x1a\n") + "not really a picture " + mark;
}

/// A handler that serves a PNG marked with the path.
inline TestWeb::Handler serve_png() {
  return [](const httplib::Request& request, httplib::Response& response) {
    response.set_content(png(request.path), "image/png");
  };
}

}  // namespace swavd::ingest::testing
