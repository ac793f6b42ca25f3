#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace swavd::scheduler {

struct CadenceOptions {
  std::uint64_t every_steps = 0;  ///< 0: off
  std::uint64_t every_ms = 0;     ///< 0: off
};

/// When the last snapshot was frozen.
struct CadenceState {
  std::uint64_t step = 0;
  std::int64_t at_ms = 0;  ///< monotonic
};

/// Is a snapshot due at `step` and `now_ms`? Never twice at one step.
[[nodiscard]] bool snapshot_due(
    const CadenceOptions& options,
    const CadenceState& last,
    std::uint64_t step,
    std::int64_t now_ms);

/// What is kept besides the newest. The ladder counts hours, days and weeks
/// (UTC, a week begins on Monday) that have a snapshot, newest first; of each
/// the last snapshot stays. All 0: off.
struct RetentionOptions {
  std::int64_t keep_last = 5;   ///< at least 1
  std::int64_t keep_every = 0;  ///< every k-th commit for ever; 0: off
  std::int64_t keep_hourly = 0;
  std::int64_t keep_daily = 0;
  std::int64_t keep_weekly = 0;
};

/// A snapshot as retention sees it.
struct Retained {
  std::string id;
  std::uint64_t generation = 0;
  std::uint64_t commit = 0;
  std::int64_t created_ms = 0;  ///< Unix ms
  bool readable = true;
  bool healthy = false;
};

/// Which of `all` (any order) to drop, the oldest first. Keeps the newest
/// `keep_last` by (generation, commit), every `keep_every`-th commit, what the
/// ladder says, what `latest` names (the newest readable and the newest
/// healthy one), and every id in `protect` (pinned ones, those not yet
/// uploaded). Dropping as snapshots come keeps what dropping once at the end
/// would have kept.
[[nodiscard]] std::vector<std::string> to_drop(
    const RetentionOptions& options,
    std::vector<Retained> all,
    const std::set<std::string>& protect);

}  // namespace swavd::scheduler
