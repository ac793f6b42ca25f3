#include "ingest/crawl/check_options.h"

#include <string_view>

#include <fmt/format.h>

namespace swavd::ingest {

namespace {

Status wrong(std::string_view field, std::string_view what) {
  return Error{
      ErrorCode::kInvalidArgument, fmt::format("crawl {}: {}", field, what)};
}

/// The first field found out of range.
class RangeCheck {
 public:
  template <typename Value>
  RangeCheck&
  range(std::string_view field, Value value, Value low, Value high) {
    if (status_.ok() && (value < low || value > high)) {
      status_ =
          wrong(field, fmt::format("{} is outside {} to {}", value, low, high));
    }
    return *this;
  }

  RangeCheck& range(
      std::string_view field,
      std::chrono::milliseconds value,
      std::chrono::milliseconds low,
      std::chrono::milliseconds high) {
    if (status_.ok() && (value < low || value > high)) {
      status_ = wrong(
          field,
          fmt::format(
              "{} ms is outside {} to {} ms",
              value.count(),
              low.count(),
              high.count()));
    }
    return *this;
  }

  [[nodiscard]] const Status& status() const { return status_; }

 private:
  Status status_ = ok_status();
};

Status check_identity(const CrawlOptions& options) {
  const std::string& agent = options.user_agent;
  if (agent.empty()) {
    return wrong(
        "user_agent",
        "must be set, to the crawler's name and a page about it, such as "
        "\"examplebot/1.0 (+https://example.org/bot)\"");
  }
  for (const char c : agent) {
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7f) {
      return wrong("user_agent", "must not hold control characters");
    }
  }
  if (agent.find("http") == std::string::npos &&
      agent.find('@') == std::string::npos &&
      agent.find("mailto:") == std::string::npos) {
    return wrong(
        "user_agent",
        "must hold a URL or mail address where the owner can be reached");
  }
  return ok_status();
}

Status check_sizes(const CrawlOptions& options) {
  using std::size_t;
  using std::uint64_t;
  return RangeCheck()
      .range<size_t>("lists", options.lists.size(), 1, 64)
      .range<size_t>("frontier_urls", options.frontier_urls, 1, 10'000'000)
      .range<std::uint32_t>(
          "failures_to_set_aside", options.failures_to_set_aside, 1, 1'000)
      .range<std::uint32_t>("retries", options.retries, 0, 10)
      .range<size_t>("max_inflight", options.max_inflight, 1, 10'000)
      .range<size_t>("publish_queue", options.publish_queue, 1, 1'000'000)
      .range<uint64_t>(
          "buffer_bytes", options.buffer_bytes, 1, uint64_t{1} << 40U)
      .range<uint64_t>(
          "max_body_bytes", options.max_body_bytes, 1, uint64_t{1} << 30U)
      .range<uint64_t>(
          "low_speed_bytes_per_second",
          options.low_speed_bytes_per_second,
          0,
          uint64_t{1} << 30U)
      .range<std::uint32_t>("max_redirects", options.max_redirects, 0, 20)
      .range<size_t>("allowed_ports", options.allowed_ports.size(), 1, 65'535)
      .status();
}

Status check_times(const CrawlOptions& options) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  const milliseconds zero(0);
  const milliseconds one(1);
  return RangeCheck()
      .range("per_host_delay", options.per_host_delay, zero, hours(1))
      .range("backoff_min", options.backoff_min, one, hours(24))
      .range("backoff_max", options.backoff_max, options.backoff_min, hours(24))
      .range("set_aside", options.set_aside, one, hours(24 * 7))
      .range("connect_timeout", options.connect_timeout, one, hours(1))
      .range("total_timeout", options.total_timeout, one, hours(24))
      .range("low_speed_time", options.low_speed_time, zero, hours(1))
      .range("stop_grace", options.stop_grace, zero, hours(1))
      .range("flush_timeout", options.flush_timeout, one, hours(1))
      .status();
}

}  // namespace

Status check_options(const CrawlOptions& options) {
  SWAVD_RETURN_IF_ERROR(check_identity(options));
  SWAVD_RETURN_IF_ERROR(check_sizes(options));
  return check_times(options);
}

}  // namespace swavd::ingest
