#pragma once

#include <stop_token>

#include "ingest/crawler.h"
#include "metrics/registry.h"
#include "ops/base/result.h"
#include "ops/service/config.h"

namespace swavd::service {

/// The crawler's options as [crawl] says.
[[nodiscard]] ingest::CrawlOptions crawl_options(const CrawlConfig& config);

/// Copies a crawler's totals and levels into the metrics.
void show_crawl(const ingest::CrawlStats& stats, metrics::Registry& registry);

/// `swavd-crawl run`: opens the stream of `config` for writing, crawls the
/// lists, serves the probes and metrics, tells the service manager. Ends when
/// the lists are done or SIGTERM or SIGINT comes. Errors: kConfig, those of
/// the stream and of the crawler.
[[nodiscard]] Status run_crawl_service(const Config& config);

}  // namespace swavd::service
