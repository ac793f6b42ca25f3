#include "ops/service/crawl_service.h"

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ingest/streams.h"
#include "ops/base/clock.h"
#include "ops/base/log.h"
#include "ops/base/mutex.h"
#include "ops/base/stage.h"
#include "ops/service/http_server.h"
#include "ops/service/lifecycle.h"

namespace swavd::service {

namespace {

using metrics::Id;
using std::chrono::milliseconds;

Result<std::unique_ptr<ingest::Sink>> open_stream(
    const Config& config,
    metrics::Registry& registry) {
  auto url = ingest::parse_stream_url(config.stream.url);
  if (!url.ok()) {
    return url.error().with_context("stream.url");
  }
  ingest::SinkOptions options;
  options.max_record_bytes = config.stream.max_record_bytes;
  options.max_ahead_records = config.stream.max_ahead_records;
  options.partitions = static_cast<std::int32_t>(config.stream.partitions);
  options.retention_bytes = config.stream.retention_bytes;
  options.retention_age =
      std::chrono::seconds(config.stream.retention_age_seconds);
  options.client = config.stream.client;
  options.events.on_error =
      [&registry](std::string_view reason, std::string_view text) {
        registry.add(Id::kStreamErrors, 1, {reason});
        log(LogLevel::kWarning, reason, text);
      };
  return ingest::open_sink(url.value(), options);
}

std::string status_json(const ingest::CrawlStats& stats) {
  nlohmann::ordered_json json;
  json["state"] = "crawling";
  json["published"] = stats.published;
  json["published_bytes"] = stats.published_bytes;
  json["frontier_urls"] = stats.frontier_urls;
  json["inflight_requests"] = stats.inflight_requests;
  for (std::size_t i = 0; i < ingest::kCrawlOutcomes; ++i) {
    json["requests"]
        [std::string(to_string(static_cast<ingest::CrawlOutcome>(i)))] =
            stats.requests[i];
  }
  return json.dump();
}

HttpHandlers crawl_handlers(
    const ingest::Crawler& crawler,
    metrics::Registry& registry) {
  HttpHandlers handlers;
  handlers.live = [] { return true; };
  handlers.ready = [](std::string* verbose) {
    *verbose = "[+]crawling\n";
    return true;
  };
  handlers.status_json = [&crawler] { return status_json(crawler.stats()); };
  handlers.before_metrics = [&crawler, &registry] {
    show_crawl(crawler.stats(), registry);
  };
  return handlers;
}

}  // namespace

ingest::CrawlOptions crawl_options(const CrawlConfig& config) {
  ingest::CrawlOptions options;
  options.user_agent = config.user_agent;
  options.lists = config.lists;
  options.repeat = config.repeat;
  options.per_host_delay = milliseconds(config.per_host_delay_ms);
  options.max_inflight = static_cast<std::size_t>(config.max_inflight);
  options.max_body_bytes = config.max_body_bytes;
  options.connect_timeout = milliseconds(config.connect_timeout_ms);
  options.total_timeout = milliseconds(config.total_timeout_ms);
  options.max_redirects = static_cast<std::uint32_t>(config.max_redirects);
  options.allowed_ports.clear();
  for (const std::int64_t port : config.ports) {
    options.allowed_ports.push_back(static_cast<std::uint16_t>(port));
  }
  options.allow_networks = config.allow_networks;
  return options;
}

void show_crawl(const ingest::CrawlStats& stats, metrics::Registry& registry) {
  for (std::size_t i = 0; i < ingest::kCrawlOutcomes; ++i) {
    registry.raise_to(
        Id::kCrawlRequests,
        static_cast<double>(stats.requests[i]),
        {to_string(static_cast<ingest::CrawlOutcome>(i))});
  }
  for (std::size_t i = 0; i < ingest::kCrawlBlocks; ++i) {
    registry.raise_to(
        Id::kCrawlBlocked,
        static_cast<double>(stats.blocked[i]),
        {to_string(static_cast<ingest::CrawlBlock>(i))});
  }
  registry.raise_to(Id::kCrawlBytes, static_cast<double>(stats.response_bytes));
  registry.raise_to(Id::kCrawlPublished, static_cast<double>(stats.published));
  registry.set(Id::kCrawlFrontier, static_cast<double>(stats.frontier_urls));
  registry.set(
      Id::kCrawlInflight, static_cast<double>(stats.inflight_requests));
}

Status run_crawl_service(const Config& config) {
  std::stop_source stop;
  const Signals signals([&stop](Request request) {
    if (request == Request::kDrain || request == Request::kQuit) {
      stop.request_stop();
    }
  });
  const SystemClock clock;
  metrics::Registry registry;
  auto sink = open_stream(config, registry);
  if (!sink.ok()) {
    return sink.error();
  }
  auto made = ingest::Crawler::create(
      crawl_options(config.crawl), *sink.value(), clock);
  if (!made.ok()) {
    // Its options come from the file: a mistake in them is one of the file.
    return Error{ErrorCode::kConfig, made.error().message};
  }
  ingest::Crawler& crawler = *made.value();
  std::unique_ptr<HttpServer> server;
  if (!config.http.listen.empty()) {
    auto started = start_http_server(
        config.http.listen,
        HttpPages::kProbesAndMetrics,
        crawl_handlers(crawler, registry),
        registry);
    if (!started.ok()) {
      return started.error().with_context("[http] listen");
    }
    server = std::move(started).value();
  }
  const ServiceManager manager;
  manager.ready("crawling");
  auto summary = crawler.run(stop.get_token());
  manager.stopping("flushing the stream");
  if (!summary.ok()) {
    return summary.error();
  }
  log(LogLevel::kInfo,
      "crawl_done",
      fmt::format("published {} images", crawler.stats().published));
  return ok_status();
}

}  // namespace swavd::service
