#include "ingest/crawl/stats_book.h"

#include <algorithm>
#include <array>

namespace swavd::ingest {

namespace {

constexpr std::array<std::string_view, kCrawlOutcomes> kOutcomeNames = {
    "ok",
    "http_error",
    "timeout",
    "dns",
    "tls",
    "blocked",
    "too_large",
    "not_image",
    "connect"};

constexpr std::array<std::string_view, kCrawlBlocks> kBlockNames =
    {"ssrf_address", "scheme", "port", "redirect_limit", "malformed"};

}  // namespace

std::string_view to_string(CrawlOutcome outcome) {
  return kOutcomeNames.at(static_cast<std::size_t>(outcome));
}

std::string_view to_string(CrawlBlock reason) {
  return kBlockNames.at(static_cast<std::size_t>(reason));
}

void StatsBook::count(CrawlOutcome outcome) {
  update([outcome](CrawlStats& stats) {
    ++stats.requests[static_cast<std::size_t>(outcome)];
  });
}

void StatsBook::count(CrawlBlock reason) {
  update([reason](CrawlStats& stats) {
    ++stats.requests[static_cast<std::size_t>(CrawlOutcome::kBlocked)];
    ++stats.blocked[static_cast<std::size_t>(reason)];
  });
}

void StatsBook::observe(
    std::chrono::nanoseconds took,
    std::uint64_t body_bytes) {
  const double seconds = std::chrono::duration<double>(took).count();
  constexpr auto& kBounds = CrawlDurations::kBounds;
  const auto bucket = static_cast<std::size_t>(
      std::lower_bound(kBounds.begin(), kBounds.end(), seconds) -
      kBounds.begin());
  update([&](CrawlStats& stats) {
    ++stats.durations.buckets[bucket];
    ++stats.durations.count;
    stats.durations.sum_seconds += seconds;
    stats.response_bytes += body_bytes;
  });
}

}  // namespace swavd::ingest
