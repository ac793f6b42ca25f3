#include "ingest/crawl/crawl_loop.h"

#include <algorithm>

#include <fmt/format.h>

#include "ops/base/check.h"
#include "ops/base/log.h"

namespace swavd::ingest {

namespace {

// Lines read between two looks at the transfers: under a millisecond.
constexpr int kLinesPerTurn = 500;
constexpr std::chrono::milliseconds kLongestPoll(1000);

void init_curl_once() {
  // Never undone: other parts of the process use curl as well.
  static const CURLcode kCode = curl_global_init(CURL_GLOBAL_DEFAULT);
  SWAVD_CHECK(kCode == CURLE_OK);
}

FrontierOptions frontier_options(const CrawlOptions& options) {
  return {
      options.per_host_delay,
      options.backoff_min,
      options.backoff_max,
      options.failures_to_set_aside,
      options.set_aside};
}

bool asks_to_come_later(long status) {
  return status == 429 || status == 503;
}

/// What the result says about the host as a whole. A missing page or a file
/// that is no image leaves it in good standing.
HostReport report_of(const FetchResult& result) {
  HostReport report;
  report.retry_after = result.retry_after;
  switch (result.outcome) {
    case CrawlOutcome::kTimeout:
    case CrawlOutcome::kDns:
    case CrawlOutcome::kTls:
    case CrawlOutcome::kConnect:
    case CrawlOutcome::kBlocked:
      report.failed = true;
      break;
    case CrawlOutcome::kHttpError:
      report.failed = result.status == 429 || result.status >= 500;
      break;
    default:
      break;
  }
  return report;
}

}  // namespace

CrawlLoop::CrawlLoop(const Parts& parts)
    : limits_(parts.limits),
      sink_(parts.sink),
      clock_(parts.clock),
      stats_(parts.stats),
      frontier_(
          frontier_options(parts.limits.options),
          parts.limits.options.seed) {
  init_curl_once();
  multi_.reset(curl_multi_init());
  SWAVD_CHECK(multi_ != nullptr);
  // Hosts are many and seldom asked twice in a row: keep few connections.
  curl_multi_setopt(
      multi_.get(),
      CURLMOPT_MAXCONNECTS,
      static_cast<long>(limits_.options.max_inflight));
}

CrawlLoop::~CrawlLoop() {
  abandon();
}

Result<CrawlSummary> CrawlLoop::run(const std::stop_token& stop) {
  const TimePoint began = clock_.steady();
  const CrawlOptions& options = limits_.options;
  auto lists = UrlLists::open(options.lists, options.repeat);
  if (!lists.ok()) {
    return lists.error();
  }
  CURLM* const multi = multi_.get();
  const auto wake = [multi] { curl_multi_wakeup(multi); };
  publisher_ = std::make_unique<Publisher>(
      Publisher::Hooks{sink_, stats_, wake},
      options.max_inflight + options.publish_queue);
  Status status = ok_status();
  {
    const std::stop_callback on_stop(stop, wake);
    status = crawl(lists.value(), stop);
  }
  abandon();
  const Status drained = drain(stop);
  write_levels();
  SWAVD_RETURN_IF_ERROR(status);
  SWAVD_RETURN_IF_ERROR(drained);
  CrawlSummary summary;
  summary.stats = stats_.snapshot();
  summary.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
      clock_.steady() - began);
  summary.stopped =
      stop.stop_requested() &&
      (!exhausted_ || summary.stats.abandoned + summary.stats.discarded > 0);
  return summary;
}

Status CrawlLoop::drain(const std::stop_token& stop) {
  const CrawlOptions& options = limits_.options;
  publisher_->finish(stop, options.stop_grace);
  // A stop closes the sink, here or at its owner: that is no error then.
  const auto expected = [&stop](const Error& error) {
    return stop.stop_requested() && error.code == ErrorCode::kCancelled;
  };
  if (const auto& error = publisher_->error(); error && !expected(*error)) {
    return error->with_context("publish a fetched image");
  }
  const Status flushed = sink_.flush(options.flush_timeout);
  if (!flushed.ok() && !expected(flushed.error())) {
    return flushed.error().with_context("flush the fetched images");
  }
  return ok_status();
}

Status CrawlLoop::crawl(UrlLists& lists, const std::stop_token& stop) {
  while (!stop.stop_requested() && !publisher_->failed()) {
    SWAVD_RETURN_IF_ERROR(refill(lists));
    start_transfers();
    write_levels();
    if (exhausted_ && frontier_.size() == 0 && running_.empty()) {
      break;
    }
    SWAVD_RETURN_IF_ERROR(wait());
    harvest();
  }
  return ok_status();
}

Status CrawlLoop::refill(UrlLists& lists) {
  const std::size_t before = frontier_.size();
  for (int i = 0; i < kLinesPerTurn && !exhausted_ &&
                  frontier_.size() < limits_.options.frontier_urls;
       ++i) {
    auto line = lists.next();
    if (!line.ok()) {
      return line.error();
    }
    if (!line.value()) {
      exhausted_ = true;
      break;
    }
    take_line(*line.value());
  }
  grew_ = frontier_.size() > before;
  return ok_status();
}

void CrawlLoop::take_line(const std::string& line) {
  stats_.update([](CrawlStats& stats) { ++stats.urls_read; });
  const auto parsed = parse_url(line, limits_.options.allowed_ports);
  if (const auto* block = std::get_if<CrawlBlock>(&parsed)) {
    stats_.count(*block);
    FetchResult result;
    result.outcome = CrawlOutcome::kBlocked;
    result.block = *block;
    CrawlTask task;
    task.listed = line;
    log_failure(task, result);
    return;
  }
  CrawlTask task;
  task.listed = line;
  enqueue(std::move(task), std::get<Url>(parsed).host);
}

void CrawlLoop::enqueue(CrawlTask task, const std::string& host) {
  if (!frontier_.add(std::move(task), host, clock_.steady())) {
    stats_.update([](CrawlStats& stats) { ++stats.urls_set_aside; });
  }
}

std::uint64_t CrawlLoop::held_bytes() const {
  std::uint64_t held = publisher_->pending_bytes();
  for (const auto& transfer : running_) {
    held += transfer->held();
  }
  return held;
}

bool CrawlLoop::has_slot() const {
  // The publisher's queue is as long as both together: whatever is in flight
  // finds its place there.
  return running_.size() < limits_.options.max_inflight &&
         publisher_->pending() < limits_.options.publish_queue;
}

void CrawlLoop::start_transfers() {
  full_ = held_bytes() >= limits_.options.buffer_bytes;
  while (!full_ && has_slot()) {
    auto draw = frontier_.draw(clock_.steady());
    if (!draw) {
      return;
    }
    start(std::move(*draw));
  }
}

void CrawlLoop::start(Frontier::Draw draw) {
  // Only texts that read as a permitted URL enter the frontier.
  const auto parsed =
      parse_url(draw.task.target(), limits_.options.allowed_ports);
  const auto* url = std::get_if<Url>(&parsed);
  SWAVD_CHECK(url != nullptr);
  if (idle_.empty()) {
    idle_.push_back(std::make_unique<Transfer>(limits_));
  }
  auto transfer = std::move(idle_.back());
  idle_.pop_back();
  transfer->begin(std::move(draw), *url, clock_.steady());
  const CURLMcode code =
      curl_multi_add_handle(multi_.get(), transfer->handle());
  SWAVD_CHECK(code == CURLM_OK);
  running_.push_back(std::move(transfer));
}

void CrawlLoop::harvest() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) {
      continue;
    }
    const CURLcode code = message->data.result;
    CURL* const easy = message->easy_handle;
    curl_multi_remove_handle(multi_.get(), easy);
    const auto at = std::find_if(
        running_.begin(), running_.end(), [easy](const auto& transfer) {
          return transfer->handle() == easy;
        });
    SWAVD_CHECK(at != running_.end());
    auto transfer = std::move(*at);
    running_.erase(at);
    finished(*transfer, code);
    idle_.push_back(std::move(transfer));
  }
}

void CrawlLoop::finished(Transfer& transfer, CURLcode code) {
  const TimePoint now = clock_.steady();
  FetchResult result = transfer.finish(code);
  stats_.observe(now - transfer.started(), transfer.received());
  Frontier::Draw draw = std::move(transfer.draw());
  const std::string host = Frontier::name(draw.host);
  const auto released = frontier_.release(draw.host, report_of(result), now);
  if (released.set_aside) {
    log(LogLevel::kInfo,
        "crawl_host_set_aside",
        "the host keeps failing; its URLs are dropped for a while",
        {{"host", host},
         {"reason", std::string(to_string(result.outcome))},
         {"urls_dropped", std::to_string(released.dropped)},
         {"wait_ms", std::to_string(released.wait.count())}});
    stats_.update([&](CrawlStats& stats) {
      ++stats.hosts_set_aside;
      stats.urls_set_aside += released.dropped;
    });
  }
  if (auto next = settle(std::move(draw.task), result)) {
    const auto parsed =
        parse_url(next->target(), limits_.options.allowed_ports);
    const auto* url = std::get_if<Url>(&parsed);
    SWAVD_CHECK(url != nullptr);
    enqueue(std::move(*next), url->host);
  }
}

std::optional<CrawlTask> CrawlLoop::settle(
    CrawlTask task,
    FetchResult& result) {
  if (result.outcome == CrawlOutcome::kOk) {
    stats_.count(CrawlOutcome::kOk);
    publisher_->give(
        {std::move(task.listed),
         std::move(result.content_type),
         clock_.unix_ms(),
         std::move(result.body)});
    return std::nullopt;
  }
  if (!result.redirect_to.empty()) {
    return follow(std::move(task), result.redirect_to);
  }
  log_failure(task, result);
  if (result.outcome == CrawlOutcome::kBlocked) {
    stats_.count(result.block);
    return std::nullopt;
  }
  stats_.count(result.outcome);
  return retry(std::move(task), result);
}

std::optional<CrawlTask> CrawlLoop::follow(
    CrawlTask task,
    const std::string& to) {
  FetchResult refusal;
  refusal.outcome = CrawlOutcome::kBlocked;
  refusal.detail = "redirected to " + to;
  if (task.hops >= limits_.options.max_redirects) {
    refusal.block = CrawlBlock::kRedirectLimit;
  } else {
    auto parsed = parse_url(to, limits_.options.allowed_ports);
    if (auto* url = std::get_if<Url>(&parsed)) {
      stats_.update([](CrawlStats& stats) { ++stats.redirects; });
      task.url = std::move(url->text);
      ++task.hops;
      return task;
    }
    refusal.block = std::get<CrawlBlock>(parsed);
  }
  stats_.count(refusal.block);
  log_failure(task, refusal);
  return std::nullopt;
}

std::optional<CrawlTask> CrawlLoop::retry(
    CrawlTask task,
    const FetchResult& result) {
  if (!asks_to_come_later(result.status) ||
      task.attempts >= limits_.options.retries) {
    return std::nullopt;
  }
  ++task.attempts;
  stats_.update([](CrawlStats& stats) { ++stats.retries; });
  return task;
}

void CrawlLoop::log_failure(const CrawlTask& task, const FetchResult& result)
    const {
  const std::string reason(
      result.outcome == CrawlOutcome::kBlocked ? to_string(result.block)
                                               : to_string(result.outcome));
  log(LogLevel::kDebug,
      fmt::format("crawl_{}", to_string(result.outcome)),
      result.detail,
      {{"reason", reason}, {"url", task.target()}, {"listed", task.listed}});
}

Status CrawlLoop::wait() {
  int still_running = 0;
  CURLMcode code = curl_multi_perform(multi_.get(), &still_running);
  auto timeout = kLongestPoll;
  if (static_cast<std::size_t>(still_running) < running_.size() ||
      (grew_ && frontier_.size() < limits_.options.frontier_urls)) {
    timeout = {};
  } else if (const auto due = frontier_.next_due();
             due && !full_ && has_slot()) {
    timeout = std::clamp(
        std::chrono::ceil<std::chrono::milliseconds>(*due - clock_.steady()),
        std::chrono::milliseconds(0),
        kLongestPoll);
  }
  if (code == CURLM_OK) {
    code = curl_multi_poll(
        multi_.get(), nullptr, 0, static_cast<int>(timeout.count()), nullptr);
  }
  if (code == CURLM_OK) {
    code = curl_multi_perform(multi_.get(), &still_running);
  }
  if (code != CURLM_OK) {
    return Error{
        ErrorCode::kInternal,
        fmt::format("drive the transfers: {}", curl_multi_strerror(code))};
  }
  return ok_status();
}

void CrawlLoop::abandon() {
  if (running_.empty() && frontier_.size() == 0) {
    return;
  }
  for (const auto& transfer : running_) {
    curl_multi_remove_handle(multi_.get(), transfer->handle());
  }
  const std::size_t lost = running_.size() + frontier_.size();
  running_.clear();
  frontier_.clear();
  stats_.update([lost](CrawlStats& stats) { stats.abandoned += lost; });
}

void CrawlLoop::write_levels() {
  stats_.update([this](CrawlStats& stats) {
    stats.frontier_urls = frontier_.size();
    stats.frontier_hosts = frontier_.hosts();
    stats.inflight_requests = running_.size();
    stats.publish_queue = publisher_->pending();
  });
}

}  // namespace swavd::ingest
