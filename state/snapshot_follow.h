#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "ops/base/clock.h"
#include "ops/base/result.h"
#include "state/snapshot_ref.h"

namespace swavd::state {

/// Which snapshot a follower wants.
enum class FollowChoice {
  /// The newest healthy one. Only while there has never been a healthy one it
  /// is the newest: a healthy one is never replaced by another kind.
  kNewestHealthy,
  kNewest,  ///< the newest that can be read, whatever its health
};

struct FollowOptions {
  PullFiles files = PullFiles::kConsumers;
  FollowChoice choice = FollowChoice::kNewestHealthy;
  std::chrono::milliseconds every{10'000};  ///< between two looks, at least 1
  /// The cap of the pause after failures, which doubles from `every` on.
  std::chrono::milliseconds longest_pause{60'000};
  std::size_t parallel = 4;              ///< downloads at once, 1 to 64
  std::uint64_t part_bytes = 8U << 20U;  ///< of one download, at least 1
  std::size_t keep = 2;                  ///< snapshots to keep, at least 1
  /// For so long at least a snapshot stays after it was switched away from,
  /// so that whoever is reading it can finish.
  std::chrono::milliseconds grace{60'000};
  /// Run with /bin/sh after each switch; empty: nothing. It finds
  /// SWAVD_SNAPSHOT_ID, SWAVD_SNAPSHOT_STEP, SWAVD_SNAPSHOT_HEALTH and
  /// SWAVD_SNAPSHOT_FOLDER (absolute, does not move) in its environment, and
  /// its standard output is the caller's standard error.
  std::string exec;
  std::uint64_t jitter_seed = 0;  ///< of the pauses' random part
};

/// A switch that has happened.
struct FollowSwitch {
  std::string id;
  std::string verdict;
  std::string folder;  ///< where it lies, absolute; `current` points there
  std::uint64_t step = 0;
  std::uint64_t bytes = 0;          ///< of the files
  std::uint64_t fetched_bytes = 0;  ///< the others were there already
  std::chrono::milliseconds took{0};
};

/// What a follower has done.
struct FollowTotals {
  std::uint64_t switches = 0;
  std::uint64_t failures = 0;       ///< looks and downloads that failed
  std::uint64_t hook_failures = 0;  ///< `exec` did not exit 0
};

/// Called from the thread of `follow`.
struct FollowEvents {
  /// After the switch, before the hook runs.
  std::function<void(const FollowSwitch&)> switched;
  /// `reason`: the error's code as a word, or "hook_failed". It goes on.
  std::function<void(std::string_view reason, const std::string& message)>
      trouble;
  /// After a look that found nothing wrong; may be empty.
  std::function<void()> looked;
};

/// Keeps `folder` at the newest snapshot of `ref`, which names none by id,
/// until `stop`. The layout is in ops/docs/consuming.md: `folder/current` is
/// a link to a snapshot that is whole and verified, replaced atomically.
/// Places that are away or still empty are asked again. Errors, at once:
/// kInvalidArgument (options, `ref`, a folder that holds something else);
/// kUnavailable, another process keeps the folder; kIo, kExhausted when even
/// the folder cannot be made.
[[nodiscard]] Result<FollowTotals> follow(
    const Clock& clock,
    const std::string& ref,
    const std::string& folder,
    const FollowOptions& options,
    const FollowEvents& events,
    const std::stop_token& stop);

}  // namespace swavd::state
