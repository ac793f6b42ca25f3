#pragma once

#include <memory>
#include <numeric>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ingest/crawler.h"
#include "ops/base/clock.h"
#include "tests/ingest/crawl/temp_folder.h"
#include "tests/ingest/crawl/test_web.h"
#include "tests/ingest/memory_stream.h"

namespace swavd::ingest::testing {

/// A crawler that may reach 127.0.0.0/8, hurries, and writes to a stream in
/// memory with one partition.
class CrawlTest : public ::testing::Test {
 protected:
  CrawlTest() {
    options_.user_agent = "testbot/1.0 (+https://example.org/bot)";
    options_.allow_networks = {"127.0.0.0/8"};
    options_.per_host_delay = std::chrono::milliseconds(0);
    options_.backoff_min = std::chrono::milliseconds(1);
    options_.backoff_max = std::chrono::milliseconds(2);
    options_.failures_to_set_aside = 1000;
    options_.low_speed_bytes_per_second = 0;
    options_.allowed_ports.clear();
  }

  /// Lets the crawler connect to the ports of `webs`, and makes `urls` its
  /// only list.
  void allow(const TestWeb& web) {
    options_.allowed_ports.push_back(web.port());
  }

  void list(const std::vector<std::string>& urls) {
    options_.lists = {folder_.write_lines("urls.txt", urls)};
  }

  std::unique_ptr<Crawler> make(Sink& sink) {
    auto crawler = Crawler::create(options_, sink, clock_);
    EXPECT_TRUE(crawler.ok()) << crawler.error().message;
    return std::move(crawler).value();
  }

  /// Crawls the list to its end and checks that every URL is accounted for.
  CrawlStats crawl() {
    const auto crawler = make(*sink_);
    const auto summary = crawler->run({});
    EXPECT_TRUE(summary.ok()) << summary.error().message;
    if (!summary.ok()) {
      return {};
    }
    EXPECT_FALSE(summary.value().stopped);
    expect_sums(summary.value().stats);
    return summary.value().stats;
  }

  static void expect_sums(const CrawlStats& stats) {
    const std::uint64_t done = std::accumulate(
        stats.requests.begin(), stats.requests.end(), std::uint64_t{0});
    EXPECT_EQ(
        stats.urls_read + stats.retries,
        done + stats.urls_set_aside + stats.abandoned);
    EXPECT_EQ(
        stats.count(CrawlOutcome::kOk),
        stats.published + stats.refused + stats.discarded);
    EXPECT_EQ(
        stats.count(CrawlOutcome::kBlocked),
        std::accumulate(
            stats.blocked.begin(), stats.blocked.end(), std::uint64_t{0}));
    EXPECT_EQ(stats.frontier_urls, 0U);
    EXPECT_EQ(stats.inflight_requests, 0U);
    EXPECT_EQ(stats.publish_queue, 0U);
  }

  [[nodiscard]] std::vector<Record> records() const {
    return stream_->records(0);
  }

  TempFolder folder_;
  SystemClock clock_;
  Visits visits_;
  std::shared_ptr<MemoryStream> stream_ = MemoryStream::make("images", 1);
  std::unique_ptr<Sink> sink_ = stream_->sink();
  CrawlOptions options_;
};

}  // namespace swavd::ingest::testing
