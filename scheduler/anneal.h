#pragma once

#include <cstdint>

#include "scheduler/learning_rate.h"

namespace swavd::scheduler {

/// The schedule of a branch that leaves a run at `state` and brings its rate
/// down: a cosine from the rate that the run's next step would have had to
/// `end_rate`, over the next `images` (at least 1) and constant from there on.
[[nodiscard]] ScheduleOptions anneal_from(
    const ScheduleOptions& run,
    const ScheduleState& state,
    std::uint64_t images,
    double end_rate);

}  // namespace swavd::scheduler
