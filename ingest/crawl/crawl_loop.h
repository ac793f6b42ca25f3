#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <curl/curl.h>

#include "ingest/crawl/frontier.h"
#include "ingest/crawl/publisher.h"
#include "ingest/crawl/stats_book.h"
#include "ingest/crawl/transfer.h"
#include "ingest/crawl/url_lists.h"
#include "ingest/crawler.h"

namespace swavd::ingest {

/// One run of a crawler: the thread that calls `run` reads the lists, drives
/// all transfers through one curl multi handle and hands bodies to the
/// Publisher.
class CrawlLoop {
 public:
  struct Parts {
    const TransferLimits& limits;
    Sink& sink;
    const Clock& clock;
    StatsBook& stats;
  };

  explicit CrawlLoop(const Parts& parts);
  CrawlLoop(const CrawlLoop&) = delete;
  CrawlLoop& operator=(const CrawlLoop&) = delete;
  ~CrawlLoop();

  /// See Crawler::run.
  [[nodiscard]] Result<CrawlSummary> run(const std::stop_token& stop);

 private:
  using TimePoint = Frontier::TimePoint;

  struct MultiCleanup {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
  };

  /// Crawls until the end, a stop or a failure of the publisher.
  [[nodiscard]] Status crawl(UrlLists& lists, const std::stop_token& stop);

  /// Reads some lines into the frontier.
  [[nodiscard]] Status refill(UrlLists& lists);
  void take_line(const std::string& line);
  /// Adds a task, which counts as set aside when its host is.
  void enqueue(CrawlTask task, const std::string& host);

  void start_transfers();
  /// Bodies in flight and waiting for the stream, in bytes.
  [[nodiscard]] std::uint64_t held_bytes() const;
  [[nodiscard]] bool has_slot() const;
  void start(Frontier::Draw draw);

  void harvest();
  void finished(Transfer& transfer, CURLcode code);
  /// Counts the result and gives the task that follows from it, if any.
  [[nodiscard]] std::optional<CrawlTask> settle(
      CrawlTask task,
      FetchResult& result);
  [[nodiscard]] std::optional<CrawlTask> follow(
      CrawlTask task,
      const std::string& to);
  [[nodiscard]] std::optional<CrawlTask> retry(
      CrawlTask task,
      const FetchResult& result);
  void log_failure(const CrawlTask& task, const FetchResult& result) const;

  [[nodiscard]] Status wait();
  void abandon();
  /// Waits for the stream to take what was fetched.
  [[nodiscard]] Status drain(const std::stop_token& stop);
  void write_levels();

  const TransferLimits& limits_;
  Sink& sink_;
  const Clock& clock_;
  StatsBook& stats_;
  std::unique_ptr<CURLM, MultiCleanup> multi_;
  Frontier frontier_;
  std::vector<std::unique_ptr<Transfer>> idle_;
  std::vector<std::unique_ptr<Transfer>> running_;
  std::unique_ptr<Publisher> publisher_;
  bool exhausted_ = false;  // the lists have no more lines
  bool full_ = false;       // of bytes: no transfer was started
  bool grew_ = false;       // the last refill put something into the frontier
};

}  // namespace swavd::ingest
