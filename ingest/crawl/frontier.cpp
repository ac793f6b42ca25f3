#include "ingest/crawl/frontier.h"

#include <algorithm>

#include "ops/base/check.h"

namespace swavd::ingest {

namespace {

// A host may ask for a day of silence, not for ever.
constexpr std::chrono::milliseconds kLongestWait = std::chrono::hours(24);

template <typename T>
T take_random(std::vector<T>& items, Random& random) {
  const std::uint32_t index =
      random.below(static_cast<std::uint32_t>(items.size()));
  std::swap(items[index], items.back());
  T item = std::move(items.back());
  items.pop_back();
  return item;
}

}  // namespace

/// Where a host stands decides which container holds it: kReady `ready_`,
/// kWaiting `waiting_` under `wake`, kBusy neither.
struct Frontier::Host {
  enum class State { kReady, kWaiting, kBusy };

  std::string name;
  std::vector<CrawlTask> tasks;
  State state = State::kBusy;
  TimePoint due;               ///< may be asked again
  TimePoint wake;              ///< key in `waiting_`
  bool forgetting = false;     ///< waits past `due`, to be forgotten
  std::uint32_t failures = 0;  ///< in a row
  bool set_aside = false;
};

Frontier::Frontier(const FrontierOptions& options, std::uint64_t seed)
    : options_(options),
      random_(stream_key(seed, "crawl/frontier")) {}

Frontier::~Frontier() = default;

bool Frontier::add(CrawlTask task, const std::string& host, TimePoint now) {
  wake_due(now);
  std::unique_ptr<Host>& slot = hosts_[host];
  if (slot == nullptr) {
    slot = std::make_unique<Host>();
    slot->name = host;
    make_ready(*slot);
  }
  if (slot->set_aside) {
    return false;
  }
  slot->tasks.push_back(std::move(task));
  ++size_;
  if (slot->forgetting) {
    waiting_.erase({slot->wake, slot.get()});
    make_ready(*slot);
  }
  return true;
}

std::optional<Frontier::Draw> Frontier::draw(TimePoint now) {
  wake_due(now);
  if (ready_.empty()) {
    return std::nullopt;
  }
  Host* host = take_random(ready_, random_);
  host->state = Host::State::kBusy;
  SWAVD_CHECK(!host->tasks.empty());
  --size_;
  return Draw{take_random(host->tasks, random_), host};
}

Frontier::Released
Frontier::release(Host* host, const HostReport& report, TimePoint now) {
  SWAVD_CHECK(host->state == Host::State::kBusy);
  Released released;
  released.wait = wait_after(*host, report);
  released.set_aside = host->set_aside;
  if (host->set_aside) {
    released.dropped = host->tasks.size();
    size_ -= host->tasks.size();
    host->tasks = {};
  }
  host->due = now + released.wait;
  make_wait(*host, host->due);
  return released;
}

std::chrono::milliseconds Frontier::wait_after(
    Host& host,
    const HostReport& report) {
  if (!report.failed) {
    host.failures = 0;
    return options_.per_host_delay;
  }
  ++host.failures;
  // Doubling stops long before it could overflow: the cap is reached first.
  const auto doublings = std::min<std::uint32_t>(host.failures - 1, 20);
  auto wait = std::min(
      options_.backoff_min * (std::int64_t{1} << doublings),
      options_.backoff_max);
  if (report.retry_after) {
    wait = std::max<std::chrono::milliseconds>(
        wait,
        std::min<std::chrono::milliseconds>(*report.retry_after, kLongestWait));
  }
  wait = std::max(wait, options_.per_host_delay);
  // A host that names a wait beyond the cap would block its part of the
  // frontier just as one that is down.
  if (host.failures >= options_.failures_to_set_aside ||
      wait > std::max(options_.backoff_max, options_.per_host_delay)) {
    host.set_aside = true;
    wait = std::max(wait, options_.set_aside);
  }
  return wait;
}

std::optional<Frontier::TimePoint> Frontier::next_due() const {
  if (waiting_.empty()) {
    return std::nullopt;
  }
  return waiting_.begin()->first;
}

void Frontier::clear() {
  ready_.clear();
  waiting_.clear();
  hosts_.clear();
  size_ = 0;
}

const std::string& Frontier::name(const Host* host) {
  return host->name;
}

void Frontier::wake_due(TimePoint now) {
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    Host* host = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    const bool remember = host->failures > 0 && !host->forgetting;
    const auto memory =
        host->set_aside ? options_.set_aside : options_.backoff_max;
    if (host->set_aside) {
      // One more chance: the next failure sets it aside again.
      host->set_aside = false;
      host->failures = options_.failures_to_set_aside - 1;
    }
    if (!host->tasks.empty()) {
      make_ready(*host);
    } else if (remember) {
      make_wait(*host, host->due + memory);
      host->forgetting = true;
    } else {
      hosts_.erase(std::string(host->name));
    }
  }
}

void Frontier::make_ready(Host& host) {
  host.state = Host::State::kReady;
  host.forgetting = false;
  ready_.push_back(&host);
}

void Frontier::make_wait(Host& host, TimePoint until) {
  host.state = Host::State::kWaiting;
  host.wake = until;
  waiting_.emplace(until, &host);
}

}  // namespace swavd::ingest
