#include <array>
#include <utility>

#include <fmt/format.h>

#include "ops/base/files.h"
#include "ops/base/log.h"
#include "ops/daemon/gallery.h"
#include "ops/daemon/running_daemon.h"
#include "ops/daemon/schedule_text.h"

namespace swavd::daemon {

namespace {

using metrics::Id;

}  // namespace

Status RunningDaemon::serve() {
  if (!config_.http.listen.empty()) {
    auto page = service::start_http_server(
        config_.http.listen, service::HttpPages::kAll, handlers(), registry_);
    if (!page.ok()) {
      return page.error().with_context("[http] listen");
    }
    page_ = std::move(page).value();
  }
  if (!config_.metrics.listen.empty()) {
    auto probes = service::start_http_server(
        config_.metrics.listen,
        service::HttpPages::kProbesAndMetrics,
        handlers(),
        registry_);
    if (!probes.ok()) {
      return probes.error().with_context("[metrics] listen");
    }
    probes_ = std::move(probes).value();
  }
  return serve_admin();
}

Status RunningDaemon::serve_admin() {
  auto socket = service::start_admin_socket(
      config_.admin.socket,
      [this](const std::string& command, const std::string& argument) {
        return admin(command, argument);
      });
  if (!socket.ok()) {
    return socket.error().with_context("[admin] socket");
  }
  admin_ = std::move(socket).value();
  return ok_status();
}

service::HttpHandlers RunningDaemon::handlers() {
  service::HttpHandlers handlers;
  handlers.live = [] { return true; };
  handlers.ready = [this](std::string* verbose) { return ready(verbose); };
  handlers.status_json = [this] { return board_->json(); };
  handlers.before_metrics = [this] { refresh_gauges(); };
  handlers.gallery_png = [this](std::size_t set) {
    return read_gallery(config_.data_dir, set);
  };
  return handlers;
}

bool RunningDaemon::ready(std::string* verbose) const {
  const service::State state = board_->state();
  const bool serving =
      state == service::State::kTraining || state == service::State::kPaused;
  *verbose = fmt::format(
      "[{}]state {}\n", serving ? '+' : '-', service::to_string(state));
  return serving;
}

void RunningDaemon::refresh_gauges() {
  board_->refresh_gauges();
  for (const auto level :
       {LogLevel::kDebug,
        LogLevel::kInfo,
        LogLevel::kWarning,
        LogLevel::kError}) {
    constexpr std::array<std::string_view, 4> kNames = {
        "debug", "info", "warning", "error"};
    registry_.raise_to(
        Id::kLogMessages,
        static_cast<double>(log_lines(level)),
        {kNames[static_cast<std::size_t>(level)]});
  }
  registry_.raise_to(Id::kLogDropped, static_cast<double>(log_dropped()));
  if (const auto free = free_bytes(config_.data_dir); free.ok()) {
    registry_.set(
        Id::kStorageFree, static_cast<double>(free.value()), {"data_dir"});
  }
}

service::HttpAnswer RunningDaemon::admin(
    const std::string& command,
    const std::string& argument) {
  const std::string type = "application/json";
  if (command == "status") {
    return {200, type, board_->json()};
  }
  if (command == "pause") {
    control_.pause();
  } else if (command == "resume") {
    control_.resume();
  } else if (command == "drain") {
    control_.drain();
  } else if (command == "snapshot") {
    control_.snapshot();
  } else if (command == "reload") {
    control_.reload();
  } else if (command == "set-rate") {
    const auto rate = parse_rate(argument);
    if (!rate.ok()) {
      return {400, "text/plain; charset=utf-8", rate.error().message};
    }
    control_.set_rate(rate.value());
  } else {
    return {404, "text/plain; charset=utf-8", "no such command: " + command};
  }
  return {202, type, R"({"accepted":true})"};
}

Progress RunningDaemon::progress() const {
  const StepFigures figures = board_->figures();
  Progress progress;
  progress.state = service::to_string(board_->state());
  progress.step = figures.step;
  progress.images = figures.images;
  progress.images_per_second = board_->images_per_second();
  progress.loss = figures.smoothed_loss;
  progress.prototypes = trainer_->prototypes();
  progress.ln_k = trainer_->ln_k();
  progress.prototypes_used = figures.health.use.used;
  progress.learning_rate = figures.learning_rate;
  progress.snapshot_id = board_->last_snapshot().id;
  progress.http_port = page_ ? page_->port() : 0;
  return progress;
}

}  // namespace swavd::daemon
