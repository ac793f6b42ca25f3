#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"
#include "scheduler/learning_rate.h"

namespace swavd::daemon {

/// The schedule with all its numbers, in images and in steps of
/// `batch_images`: what the log says at start, and `swavd validate`.
[[nodiscard]] std::string schedule_text(
    const scheduler::ScheduleOptions& options,
    std::int64_t batch_images);

/// What somebody who wrote this schedule may not have meant, a sentence each.
[[nodiscard]] std::vector<std::string> schedule_warnings(
    const scheduler::ScheduleOptions& options,
    std::int64_t batch_images);

/// Why the rate was halved last, or "" when it never was.
[[nodiscard]] std::string halving_text(const scheduler::Halving& halving);

/// The `schedule` object of /status.
[[nodiscard]] std::string schedule_status_json(
    const scheduler::ScheduleOptions& options,
    const scheduler::ScheduleState& state);

/// A rate as an operator types it: above 0 and at most 1,000, as in the
/// configuration. Errors: kInvalidArgument.
[[nodiscard]] Result<double> parse_rate(std::string_view text);

}  // namespace swavd::daemon
