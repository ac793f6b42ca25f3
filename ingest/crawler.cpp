#include "ingest/crawler.h"

#include <utility>

#include "ingest/crawl/check_options.h"
#include "ingest/crawl/crawl_loop.h"

namespace swavd::ingest {

class Crawler::Impl {
 public:
  Impl(TransferLimits limits, Sink& sink, const Clock& clock)
      : limits_(std::move(limits)),
        sink_(sink),
        clock_(clock) {}

  Result<CrawlSummary> run(const std::stop_token& stop) {
    return CrawlLoop({limits_, sink_, clock_, stats_}).run(stop);
  }

  [[nodiscard]] CrawlStats stats() const { return stats_.snapshot(); }

 private:
  TransferLimits limits_;
  Sink& sink_;
  const Clock& clock_;
  StatsBook stats_;
};

Result<std::unique_ptr<Crawler>>
Crawler::create(CrawlOptions options, Sink& sink, const Clock& clock) {
  SWAVD_RETURN_IF_ERROR(check_options(options));
  auto policy = AddressPolicy::parse(options.allow_networks);
  if (!policy.ok()) {
    return policy.error().with_context("allow_networks");
  }
  TransferLimits limits{std::move(options), std::move(policy).value()};
  // The constructor is private, hence no make_unique.
  return std::unique_ptr<Crawler>(
      new Crawler(std::make_unique<Impl>(std::move(limits), sink, clock)));
}

Crawler::Crawler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Crawler::~Crawler() = default;

Result<CrawlSummary> Crawler::run(const std::stop_token& stop) {
  return impl_->run(stop);
}

CrawlStats Crawler::stats() const {
  return impl_->stats();
}

}  // namespace swavd::ingest
