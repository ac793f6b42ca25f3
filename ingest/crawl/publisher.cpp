#include "ingest/crawl/publisher.h"

#include <utility>

#include "ops/base/check.h"
#include "ops/base/log.h"
#include "ops/base/sha256.h"

namespace swavd::ingest {

std::string record_key(const std::string& url) {
  return sha256_hex(as_bytes(url)).substr(0, 16);
}

Publisher::Publisher(Hooks hooks, std::size_t capacity)
    : hooks_(std::move(hooks)),
      queue_(capacity),
      stage_("crawl-publish", [this](const std::stop_token&) { work(); }) {}

void Publisher::give(Fetched item) {
  pending_bytes_ += item.body.size();
  ++pending_;
  const bool taken = queue_.try_push(item);
  SWAVD_CHECK(taken);
}

void Publisher::finish(
    const std::stop_token& stop,
    std::chrono::milliseconds grace) {
  queue_.close();
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  const auto done = [this]() SWAVD_REQUIRES(mutex_) { return done_; };
  bool late = false;
  {
    const MutexLock lock(mutex_);
    changed_.wait(mutex_, [this, &stop]() SWAVD_REQUIRES(mutex_) {
      return done_ || stop.stop_requested();
    });
    late = !changed_.wait_for(mutex_, grace, done);
  }
  if (late) {
    log(LogLevel::kWarning,
        "crawl_sink_closed",
        "the stream took nothing while the crawler was stopping; what was "
        "fetched and not taken is discarded");
    hooks_.sink.close();
  }
  stage_.join();
}

void Publisher::work() {
  while (auto item = queue_.pop()) {
    const std::size_t bytes = item->body.size();
    if (failed()) {
      hooks_.stats.update([](CrawlStats& stats) { ++stats.discarded; });
    } else {
      publish(std::move(*item));
    }
    pending_bytes_ -= bytes;
    --pending_;
    hooks_.on_room();
  }
  const MutexLock lock(mutex_);
  done_ = true;
  changed_.notify_all();
}

void Publisher::publish(Fetched item) {
  const std::size_t bytes = item.body.size();
  OutRecord record;
  record.key = record_key(item.url);
  record.headers = {
      {std::string(kHeaderUrl), std::move(item.url)},
      {std::string(kHeaderContentType), std::move(item.content_type)},
      {std::string(kHeaderFetchedAt), std::to_string(item.fetched_at_ms)},
      {std::string(kHeaderSha256), sha256_hex(item.body)}};
  record.timestamp_ms = item.fetched_at_ms;
  record.payload = std::move(item.body);
  const Status status = hooks_.sink.publish(std::move(record));
  if (status.ok()) {
    hooks_.stats.update([bytes](CrawlStats& stats) {
      ++stats.published;
      stats.published_bytes += bytes;
    });
    return;
  }
  if (status.error().code == ErrorCode::kInvalidArgument) {
    log(LogLevel::kWarning, "crawl_refused", status.error().message);
    hooks_.stats.update([](CrawlStats& stats) { ++stats.refused; });
    return;
  }
  hooks_.stats.update([](CrawlStats& stats) { ++stats.discarded; });
  error_ = status.error();
  failed_ = true;
}

}  // namespace swavd::ingest
