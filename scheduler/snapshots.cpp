#include "scheduler/snapshots.h"

#include <algorithm>
#include <cstddef>
#include <tuple>

namespace swavd::scheduler {

bool snapshot_due(
    const CadenceOptions& options,
    const CadenceState& last,
    std::uint64_t step,
    std::int64_t now_ms) {
  if (step <= last.step) {
    return false;
  }
  if (options.every_steps > 0 && step - last.step >= options.every_steps) {
    return true;
  }
  return options.every_ms > 0 &&
         now_ms - last.at_ms >= static_cast<std::int64_t>(options.every_ms);
}

namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kWeekMs = 7 * kDayMs;
/// 1970-01-01 was a Thursday; the Monday before it lies three days back.
constexpr std::int64_t kFirstMondayMs = -3 * kDayMs;

/// The number of the span of `length` that `at` lies in, rounded down.
std::int64_t span_of(std::int64_t at, std::int64_t length) {
  return at / length - (at % length < 0 ? 1 : 0);
}

/// Keeps the last snapshot of each of the newest `count` spans that have one.
/// `all` is the newest first; times may jump, the order is the lineage's.
void keep_ladder(
    const std::vector<Retained>& all,
    std::int64_t count,
    std::int64_t length,
    std::int64_t origin,
    std::vector<bool>& keep) {
  std::set<std::int64_t> seen;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (static_cast<std::int64_t>(seen.size()) >= count) {
      return;
    }
    if (all[i].readable &&
        seen.insert(span_of(all[i].created_ms - origin, length)).second) {
      keep[i] = true;
    }
  }
}

/// Keeps the first of `all` that has `property`.
void keep_first(
    const std::vector<Retained>& all,
    bool Retained::*property,
    std::vector<bool>& keep) {
  const auto first =
      std::find_if(all.begin(), all.end(), [&](const Retained& one) {
        return one.*property;
      });
  if (first != all.end()) {
    keep[static_cast<std::size_t>(first - all.begin())] = true;
  }
}

}  // namespace

std::vector<std::string> to_drop(
    const RetentionOptions& options,
    std::vector<Retained> all,
    const std::set<std::string>& protect) {
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.generation, a.commit) > std::tie(b.generation, b.commit);
  });
  const auto keep_last =
      static_cast<std::size_t>(std::max<std::int64_t>(options.keep_last, 1));
  std::vector<bool> keep(all.size(), false);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool milestone =
        options.keep_every > 0 &&
        all[i].commit % static_cast<std::uint64_t>(options.keep_every) == 0;
    keep[i] = i < keep_last || milestone || protect.contains(all[i].id);
  }
  keep_first(all, &Retained::readable, keep);
  keep_first(all, &Retained::healthy, keep);
  keep_ladder(all, options.keep_hourly, kHourMs, 0, keep);
  keep_ladder(all, options.keep_daily, kDayMs, 0, keep);
  keep_ladder(all, options.keep_weekly, kWeekMs, kFirstMondayMs, keep);
  std::vector<std::string> drop;
  for (std::size_t i = all.size(); i > 0; --i) {
    if (!keep[i - 1]) {
      drop.push_back(all[i - 1].id);
    }
  }
  return drop;
}

}  // namespace swavd::scheduler
