#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ops/base/philox.h"

namespace swavd::ingest {

/// A URL to fetch, and how it came to be.
struct CrawlTask {
  std::string listed;  ///< as it stood in the list
  std::string url;     ///< to request now; empty: `listed` is
  std::uint32_t hops = 0;
  std::uint32_t attempts = 0;

  [[nodiscard]] const std::string& target() const {
    return url.empty() ? listed : url;
  }
};

struct FrontierOptions {
  std::chrono::milliseconds per_host_delay{2'000};
  std::chrono::milliseconds backoff_min{10'000};
  std::chrono::milliseconds backoff_max{600'000};
  std::uint32_t failures_to_set_aside = 5;
  std::chrono::milliseconds set_aside{1'800'000};
};

/// What a request told about its host.
struct HostReport {
  bool failed = false;  ///< overloaded or out of reach, not: page missing
  std::optional<std::chrono::seconds> retry_after;
};

/// The URLs held in memory, by host, and when each host may be asked next.
/// Pure: time comes as an argument. Every draw takes a host at random among
/// those that may be asked now, then one of its URLs at random, so that
/// neighbours of a list end far apart. Not thread-safe.
///
/// A host is remembered as long as it has URLs, has to be waited for, or has
/// failed not long ago.
class Frontier {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  Frontier(const FrontierOptions& options, std::uint64_t seed);
  Frontier(const Frontier&) = delete;
  Frontier& operator=(const Frontier&) = delete;
  ~Frontier();

  /// Holds `task`, whose target is at `host`. False, and the task dropped,
  /// when that host is set aside.
  [[nodiscard]] bool
  add(CrawlTask task, const std::string& host, TimePoint now);

  struct Host;

  struct Draw {
    CrawlTask task;
    Host* host = nullptr;  ///< for `release`; stays valid until then
  };

  /// A task whose host may be asked now. The host is given to nobody else
  /// until `release`. Empty when there is none.
  [[nodiscard]] std::optional<Draw> draw(TimePoint now);

  /// What a release did.
  struct Released {
    bool set_aside = false;             ///< the host was, now
    std::size_t dropped = 0;            ///< tasks dropped with it
    std::chrono::milliseconds wait{0};  ///< until the host may be asked again
  };

  /// Ends the request of a draw and sets when its host may be asked next.
  Released release(Host* host, const HostReport& report, TimePoint now);

  /// Forgets everything, drawn hosts included: no `release` after it.
  void clear();

  /// When the next waiting host comes due; empty when none waits.
  [[nodiscard]] std::optional<TimePoint> next_due() const;

  /// Tasks held.
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Hosts remembered.
  [[nodiscard]] std::size_t hosts() const { return hosts_.size(); }

  /// The name of a drawn host.
  [[nodiscard]] static const std::string& name(const Host* host);

 private:
  void wake_due(TimePoint now);
  void make_ready(Host& host);
  void make_wait(Host& host, TimePoint until);
  [[nodiscard]] std::chrono::milliseconds wait_after(
      Host& host,
      const HostReport& report);

  FrontierOptions options_;
  Random random_;
  std::unordered_map<std::string, std::unique_ptr<Host>> hosts_;
  std::vector<Host*> ready_;
  std::set<std::pair<TimePoint, Host*>> waiting_;
  std::size_t size_ = 0;
};

}  // namespace swavd::ingest
