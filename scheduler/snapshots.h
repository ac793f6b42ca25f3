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

struct RetentionOptions {
  std::int64_t keep_last = 5;   ///< at least 1
  std::int64_t keep_every = 0;  ///< every k-th commit for ever; 0: off
};

/// A snapshot as retention sees it.
struct Retained {
  std::string id;
  std::uint64_t commit = 0;
};

/// Which of `all` (any order) to drop. Keeps the newest `keep_last`, every
/// `keep_every`-th commit, and every id in `protect` (pinned ones, those not
/// yet uploaded, the one that `latest` names). Never drops the newest.
[[nodiscard]] std::vector<std::string> to_drop(
    const RetentionOptions& options,
    std::vector<Retained> all,
    const std::set<std::string>& protect);

}  // namespace swavd::scheduler
