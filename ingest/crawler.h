#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/sink.h"
#include "ops/base/clock.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// What became of one request: the `outcome` label of
/// `swavd_crawl_requests_total` and, with "crawl_" in front, the event of its
/// log line.
enum class CrawlOutcome : std::uint8_t {
  kOk,         ///< 200 with an image; handed to the stream
  kHttpError,  ///< any other status
  kTimeout,    ///< connecting, the whole transfer or its speed
  kDns,        ///< the host's name gave no address
  kTls,        ///< certificate or handshake
  kBlocked,    ///< refused by ourselves, see CrawlBlock
  kTooLarge,   ///< headers or body over the limit, declared or not
  kNotImage,   ///< 200, but empty or neither named nor looking like an image
  kConnect,    ///< refused, reset, cut short, or not HTTP
};
inline constexpr std::size_t kCrawlOutcomes = 9;

/// Why a request was refused: the `reason` label of
/// `swavd_crawl_blocked_total`.
enum class CrawlBlock : std::uint8_t {
  kSsrfAddress,    ///< every address of the host is private or special
  kScheme,         ///< neither http nor https
  kPort,           ///< not in `allowed_ports`
  kRedirectLimit,  ///< more than `max_redirects` hops
  kMalformed,      ///< not a URL, too long, or with a user name in it
};
inline constexpr std::size_t kCrawlBlocks = 5;

/// "ok", "http_error", …: the metric label.
[[nodiscard]] std::string_view to_string(CrawlOutcome outcome);

/// "ssrf_address", "scheme", …: the metric label.
[[nodiscard]] std::string_view to_string(CrawlBlock reason);

/// Settings of a crawler. The defaults suit the open web: they are slow to
/// each host and fast only by the number of hosts.
struct CrawlOptions {
  /// Sent with every request; must name the crawler and hold the URL or mail
  /// address of a page or person to complain to ("http", "mailto:" or '@').
  std::string user_agent;

  /// Files with one URL a line; empty lines and lines that start with '#' are
  /// left out. Read lazily, one line of each in turn, so that any length will
  /// do. 1 to 64 files.
  std::vector<std::string> lists;
  /// Starts over at the end of the lists, for ever.
  bool repeat = false;
  /// URLs held in memory, from which hosts are drawn at random. 1 to 10 M; a
  /// URL costs 200 to 500 bytes. With lists sorted by host a small window holds
  /// few hosts and is slow: shuffle such lists.
  std::size_t frontier_urls = 100'000;
  std::uint64_t seed = 0;  ///< of the random draw

  /// From the end of one request to a host to the start of the next; there is
  /// never more than one at a time. 0 to 1 h.
  std::chrono::milliseconds per_host_delay{2'000};
  /// First wait after 429, 5xx or a failed connection; doubled by each further
  /// failure in a row, up to `backoff_max`. `Retry-After` is honoured when it
  /// is longer, up to a day.
  std::chrono::milliseconds backoff_min{10'000};
  std::chrono::milliseconds backoff_max{600'000};
  /// Failures in a row after which a host is set aside: its URLs are dropped,
  /// and counted as `urls_set_aside`, for `set_aside`. At least 1.
  std::uint32_t failures_to_set_aside = 5;
  std::chrono::milliseconds set_aside{1'800'000};
  /// Further tries of a URL answered with 429 or 503. 0 to 10.
  std::uint32_t retries = 2;

  std::size_t max_inflight = 64;  ///< transfers at a time, 1 to 10,000
  /// Bodies that wait for the stream beyond those in flight, at least 1. Once
  /// they do, no transfer is started.
  std::size_t publish_queue = 64;
  /// Bytes of bodies in flight and waiting above which none is started.
  std::uint64_t buffer_bytes = 256ULL << 20U;

  std::uint64_t max_body_bytes = 16ULL << 20U;  ///< 1 to 1 GiB
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds total_timeout{60'000};
  /// A transfer slower than this for `low_speed_time` is a timeout. 0: off.
  std::uint64_t low_speed_bytes_per_second = 100;
  std::chrono::seconds low_speed_time{15};
  std::uint32_t max_redirects = 5;  ///< hops of one URL, 0 to 20

  /// Ports that may be connected to, in lists and redirects alike.
  std::vector<std::uint16_t> allowed_ports = {80, 443};
  /// Networks ("127.0.0.0/8", "fd00::/8") that may be connected to although
  /// they are private or special. For tests and crawls of one's own network.
  std::vector<std::string> allow_networks;

  /// How long a stop waits for bodies fetched already to enter the stream,
  /// before it closes the sink.
  std::chrono::milliseconds stop_grace{1'000};
  std::chrono::milliseconds flush_timeout{30'000};  ///< of the last flush
};

/// How long requests took: a histogram with `kBounds` as upper bounds.
struct CrawlDurations {
  static constexpr std::array<double, 11> kBounds =
      {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};  // seconds
  std::array<std::uint64_t, kBounds.size() + 1> buckets{};     // not cumulative
  double sum_seconds = 0;
  std::uint64_t count = 0;
};

/// Totals since the crawler was made, and a few levels of now.
///
/// Once `run` has returned, urls_read + retries = the sum of `requests` +
/// urls_set_aside + abandoned; before, frontier_urls and inflight_requests
/// belong to the right side too.
struct CrawlStats {
  std::array<std::uint64_t, kCrawlOutcomes> requests{};  ///< by CrawlOutcome
  std::array<std::uint64_t, kCrawlBlocks> blocked{};     ///< by CrawlBlock
  CrawlDurations durations;          ///< of each HTTP exchange, hops included
  std::uint64_t response_bytes = 0;  ///< of bodies, thrown away ones included
  std::uint64_t urls_read = 0;       ///< lines of the lists
  std::uint64_t urls_set_aside = 0;  ///< dropped: their host kept failing
  std::uint64_t retries = 0;         ///< URLs put back after 429 or 503
  std::uint64_t redirects = 0;       ///< hops followed
  std::uint64_t hosts_set_aside = 0;
  std::uint64_t published = 0;  ///< records the sink took
  std::uint64_t published_bytes = 0;
  std::uint64_t refused = 0;    ///< images the stream does not take (too large)
  std::uint64_t discarded = 0;  ///< images fetched but lost by a stop
  std::uint64_t abandoned = 0;  ///< URLs in flight or waiting when it stopped
  std::size_t frontier_urls = 0;
  std::size_t frontier_hosts = 0;  ///< remembered, with or without URLs
  std::size_t inflight_requests = 0;
  std::size_t publish_queue = 0;  ///< bodies waiting for the stream

  [[nodiscard]] std::uint64_t count(CrawlOutcome outcome) const {
    return requests[static_cast<std::size_t>(outcome)];
  }

  [[nodiscard]] std::uint64_t count(CrawlBlock reason) const {
    return blocked[static_cast<std::size_t>(reason)];
  }
};

/// How a crawl ended.
struct CrawlSummary {
  CrawlStats stats;
  std::chrono::milliseconds elapsed{0};
  bool stopped = false;  ///< by the stop token; else the lists were exhausted
};

/// Fetches the URLs of lists and publishes each image as it came, with key =
/// the first 16 hexadecimal digits of SHA-256 of the URL and headers `url`
/// (as listed, also after redirects), `content-type`, `fetched-at`, `sha256`.
///
/// It connects only to public addresses, checked for each connection after
/// name resolution; follows redirects itself, each hop under all checks and
/// its host's delay; uses no proxy, no cookie, no compression, HTTP/1.1 only.
class Crawler {
 public:
  /// `sink` and `clock` must outlive the crawler. Errors: kInvalidArgument
  /// naming the field that is out of range.
  [[nodiscard]] static Result<std::unique_ptr<Crawler>>
  create(CrawlOptions options, Sink& sink, const Clock& clock);

  Crawler(const Crawler&) = delete;
  Crawler& operator=(const Crawler&) = delete;
  ~Crawler();

  /// Crawls until the lists are exhausted and everything fetched is flushed,
  /// or until `stop` is requested. A stop abandons what is in flight; it
  /// closes the sink when the sink still blocks after `stop_grace`. Call it
  /// once. Errors: kNotFound and kIo (a list), kInvalidArgument (`repeat` over
  /// lists without a URL), any error of the sink except kInvalidArgument,
  /// which refuses one record only.
  [[nodiscard]] Result<CrawlSummary> run(const std::stop_token& stop);

  /// Thread-safe.
  [[nodiscard]] CrawlStats stats() const;

 private:
  class Impl;
  explicit Crawler(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace swavd::ingest
