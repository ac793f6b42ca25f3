#include "ops/service/demo_web.h"

#include <cerrno>
#include <fstream>
#include <numeric>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ops/base/files.h"
#include "ops/base/log.h"
#include "ops/base/mutex.h"
#include "ops/base/philox.h"
#include "ops/base/stage.h"
#include "ops/service/http/demo_catalog.h"
#include "ops/service/http/shared_pool.h"

namespace swavd::service {

namespace {

// A client that sends nothing holds a thread for this long at most.
constexpr std::chrono::milliseconds kReadTimeout(500);
constexpr std::chrono::seconds kWriteTimeout(5);
// Connections accepted and waiting for a thread.
constexpr std::size_t kWaiting = 256;
// How often another port is tried when one is free on some hosts only.
constexpr int kPortTries = 20;

// Which links of a list are what; "every Nth, beginning with the Kth".
struct Every {
  std::uint64_t nth;
  std::uint64_t first;

  [[nodiscard]] constexpr bool matches(std::uint64_t i) const {
    return i % nth == first;
  }
};

constexpr Every kDeadLinks{100, 3};
constexpr Every kRedirects{200, 7};
constexpr Every kSlowLinks{5000, 11};

/// Holds back the answers to slow links until their time or the end.
class SlowGate {
 public:
  void wait(std::chrono::milliseconds delay) {
    const MutexLock lock(mutex_);
    (void)changed_.wait_for(
        mutex_, delay, [this]() SWAVD_REQUIRES(mutex_) { return open_; });
  }

  void open() {
    const MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ SWAVD_GUARDED_BY(mutex_) = false;
};

/// Counts the servers that have begun to listen: stopping one before it has
/// would be lost on it.
class Begun {
 public:
  void add() {
    const MutexLock lock(mutex_);
    ++count_;
    changed_.notify_all();
  }

  void wait_for_all(std::size_t count) {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [this, count]() SWAVD_REQUIRES(mutex_) {
      return count_ >= count;
    });
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::size_t count_ SWAVD_GUARDED_BY(mutex_) = 0;
};

/// An httplib server that gives its port back when it never listened.
class HostServer final : public httplib::Server {
 public:
  ~HostServer() override {
    const socket_t left = svr_sock_.exchange(INVALID_SOCKET);
    if (left != INVALID_SOCKET) {
      close(left);
    }
  }
};

void reuse_address_only(socket_t socket) {
  // The library's default, SO_REUSEPORT, would let two demos share a port.
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

std::string host_name(std::uint32_t host) {
  return fmt::format("127.0.0.{}", host);
}

Status check(const DemoWebOptions& options) {
  if (options.hosts < 1 || options.hosts > 254) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("demo web: {} hosts; 1 to 254 will do", options.hosts)};
  }
  if (options.threads < 1 || options.threads > 64) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("demo web: {} threads; 1 to 64 will do", options.threads)};
  }
  return ok_status();
}

/// The order of one round: all numbers below `count`, shuffled.
std::vector<std::uint32_t> round_order(std::size_t count, Random& random) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0U);
  for (std::size_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  }
  return order;
}

}  // namespace

class DemoWeb::Impl {
 public:
  Impl(const DemoWebOptions& options, DemoCatalog catalog)
      : options_(options),
        catalog_(std::move(catalog)),
        pool_(options.threads, kWaiting) {}

  ~Impl() {
    gate_.open();
    for (const auto& server : servers_) {
      server->stop();
    }
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status start() {
    SWAVD_RETURN_IF_ERROR(bind());
    Begun begun;
    for (const auto& server : servers_) {
      server->new_task_queue = [this, &begun] {
        begun.add();
        return pool_.queue().release();  // the library owns it
      };
      listeners_.emplace_back(
          "web-accept", [raw = server.get()](const std::stop_token&) {
            raw->listen_after_bind();
          });
    }
    begun.wait_for_all(servers_.size());
    return ok_status();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  [[nodiscard]] const DemoCatalog& catalog() const { return catalog_; }

  Result<UrlListReport> write_url_list(
      const std::string& path,
      std::uint64_t total_urls,
      std::uint64_t seed) const;

 private:
  [[nodiscard]] Status bind();
  /// Binds all hosts to `port`; false when one of them cannot.
  [[nodiscard]] bool bind_all(std::uint16_t port);
  std::unique_ptr<HostServer> make_server(std::uint32_t host);
  void answer(
      std::uint32_t host,
      const httplib::Request& request,
      httplib::Response& response);
  void send_file(const DemoPath& path, httplib::Response& response);

  /// Draws the host of a link.
  [[nodiscard]] std::uint32_t draw_host(Random& random) const {
    return 1 + random.below(options_.hosts);
  }

  DemoWebOptions options_;
  DemoCatalog catalog_;
  std::uint16_t port_ = 0;
  SlowGate gate_;
  SharedPool pool_;
  std::vector<std::unique_ptr<HostServer>> servers_;
  std::vector<Stage> listeners_;  // before the servers they run, when ending
};

Status DemoWeb::Impl::bind() {
  const int tries = options_.port == 0 ? kPortTries : 1;
  for (int i = 0; i < tries; ++i) {
    if (bind_all(options_.port)) {
      return ok_status();
    }
  }
  const std::string where =
      fmt::format("127.0.0.1 to {}", host_name(options_.hosts));
  if (options_.port == 0) {
    return Error{
        ErrorCode::kUnavailable,
        "demo web: found no port that is free on all of " + where};
  }
  return Error{
      ErrorCode::kUnavailable,
      fmt::format(
          "demo web: port {} is in use on one of {}; choose another one or 0",
          options_.port,
          where)};
}

bool DemoWeb::Impl::bind_all(std::uint16_t port) {
  servers_.clear();
  port_ = port;
  for (std::uint32_t host = 1; host <= options_.hosts; ++host) {
    auto server = make_server(host);
    if (port_ == 0) {
      const int chosen = server->bind_to_any_port(host_name(host));
      if (chosen <= 0) {
        return false;
      }
      port_ = static_cast<std::uint16_t>(chosen);
    } else if (!server->bind_to_port(host_name(host), port_)) {
      return false;
    }
    servers_.push_back(std::move(server));
  }
  return true;
}

std::unique_ptr<HostServer> DemoWeb::Impl::make_server(std::uint32_t host) {
  auto server = std::make_unique<HostServer>();
  server->set_address_family(AF_INET);
  server->set_tcp_nodelay(true);
  server->set_socket_options(reuse_address_only);
  server->set_read_timeout(kReadTimeout);
  server->set_write_timeout(kWriteTimeout);
  // A connection kept alive would keep one of the few threads waiting on it.
  server->set_keep_alive_max_count(1);
  server->set_keep_alive_timeout(1);
  server->set_pre_routing_handler(
      [this, host](
          const httplib::Request& request, httplib::Response& response) {
        answer(host, request, response);
        return httplib::Server::HandlerResponse::Handled;
      });
  return server;
}

void DemoWeb::Impl::answer(
    std::uint32_t host,
    const httplib::Request& request,
    httplib::Response& response) {
  response.status = 200;
  const auto path = parse_demo_path(request.path);
  if (!path || path->host != host) {
    response.status = 404;
    return;
  }
  if (path->kind == DemoPath::Kind::kRedirect) {
    DemoPath target = *path;
    target.kind = DemoPath::Kind::kPlain;
    target.host = host % options_.hosts + 1;
    response.set_redirect(demo_url(target, port_));
    return;
  }
  if (path->kind == DemoPath::Kind::kSlow) {
    gate_.wait(options_.slow_delay);
  }
  send_file(*path, response);
}

void DemoWeb::Impl::send_file(
    const DemoPath& path,
    httplib::Response& response) {
  const DemoCatalog::Entry* entry = catalog_.find(path.hash);
  if (entry == nullptr) {
    response.status = 404;
    return;
  }
  const auto bytes = catalog_.read(*entry);
  if (!bytes.ok()) {
    log(LogLevel::kWarning, "demo_web_read", bytes.error().message);
    response.status = 404;
    return;
  }
  response.set_content(
      std::string(as_text(bytes.value())),
      std::string(media_type(entry->extension)));
}

Result<UrlListReport> DemoWeb::Impl::write_url_list(
    const std::string& path,
    std::uint64_t total_urls,
    std::uint64_t seed) const {
  if (total_urls == 0) {
    return Error{
        ErrorCode::kInvalidArgument, "demo web: a list of no URLs is no use"};
  }
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  UrlListReport report;
  Random random(stream_key(seed, "demo_web/list"));
  std::vector<std::uint32_t> order;
  const auto& entries = catalog_.entries();
  for (std::uint64_t i = 0; i < total_urls && out; ++i) {
    const std::uint64_t turn = i % entries.size();
    if (turn == 0) {
      order = round_order(entries.size(), random);
    }
    const DemoCatalog::Entry& entry = entries[order[turn]];
    DemoPath link;
    link.host = draw_host(random);
    link.file = fmt::format(
        "{}-{}.{}", entry.hash, i / entries.size(), entry.extension);
    if (kRedirects.matches(i)) {
      link.kind = DemoPath::Kind::kRedirect;
      ++report.redirects;
    } else if (kSlowLinks.matches(i)) {
      link.kind = DemoPath::Kind::kSlow;
      ++report.slow;
    }
    out << demo_url(link, port_) << '\n';
    ++report.image_urls;
    if (kDeadLinks.matches(i)) {
      link.kind = DemoPath::Kind::kPlain;
      link.file = fmt::format("{:016x}-{}.jpg", 0, i);
      out << demo_url(link, port_) << '\n';
      ++report.dead_links;
    }
  }
  out.close();
  if (!out) {
    return errno_error(errno, "write the URL list", path);
  }
  return report;
}

DemoWeb::DemoWeb(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

DemoWeb::~DemoWeb() = default;

std::uint16_t DemoWeb::port() const {
  return impl_->port();
}

std::uint64_t DemoWeb::images() const {
  return impl_->catalog().entries().size();
}

Result<UrlListReport> DemoWeb::write_url_list(
    const std::string& path,
    std::uint64_t total_urls,
    std::uint64_t seed) const {
  return impl_->write_url_list(path, total_urls, seed);
}

Result<std::unique_ptr<DemoWeb>> start_demo_web(const DemoWebOptions& options) {
  SWAVD_RETURN_IF_ERROR(check(options));
  auto catalog = DemoCatalog::load(
      options.images, options.pictures_only, options.max_tar_bytes);
  if (!catalog.ok()) {
    return catalog.error().with_context("demo web");
  }
  auto impl =
      std::make_unique<DemoWeb::Impl>(options, std::move(catalog).value());
  SWAVD_RETURN_IF_ERROR(impl->start());
  return std::unique_ptr<DemoWeb>(new DemoWeb(std::move(impl)));
}

}  // namespace swavd::service
