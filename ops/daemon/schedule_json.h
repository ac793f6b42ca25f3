#pragma once

#include <string>
#include <string_view>

#include "ops/base/result.h"
#include "scheduler/learning_rate.h"

namespace swavd::daemon {

/// The `schedule` section of a manifest. Doubles survive to the bit.
[[nodiscard]] std::string schedule_to_json(
    const scheduler::ScheduleState& state);

/// What an older version did not write has its default. Errors: kCorruption
/// naming the field.
[[nodiscard]] Result<scheduler::ScheduleState> schedule_from_json(
    std::string_view json);

/// The `stream` section: {"id":…,"order":{"mode":…,"turn":…}}.
struct StreamSection {
  std::string id;
  std::string order = "arrival";
  std::int32_t turn = 0;
};

[[nodiscard]] std::string stream_to_json(const StreamSection& section);
[[nodiscard]] Result<StreamSection> stream_from_json(std::string_view json);

}  // namespace swavd::daemon
