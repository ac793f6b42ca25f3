#include "scheduler/snapshots.h"

#include <algorithm>
#include <cstddef>

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

std::vector<std::string> to_drop(
    const RetentionOptions& options,
    std::vector<Retained> all,
    const std::set<std::string>& protect) {
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.commit > b.commit;
  });
  const auto keep_last =
      static_cast<std::size_t>(std::max<std::int64_t>(options.keep_last, 1));
  std::vector<std::string> drop;
  for (std::size_t i = keep_last; i < all.size(); ++i) {
    const bool milestone =
        options.keep_every > 0 &&
        all[i].commit % static_cast<std::uint64_t>(options.keep_every) == 0;
    if (!milestone && !protect.contains(all[i].id)) {
      drop.push_back(all[i].id);
    }
  }
  return drop;
}

}  // namespace swavd::scheduler
