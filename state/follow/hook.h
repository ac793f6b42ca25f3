#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "ops/base/result.h"

namespace swavd::state {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// How long a command that was asked to end may still take.
inline constexpr std::chrono::milliseconds kHookGrace{5'000};

/// Runs `command` with /bin/sh, `additions` over this process's environment,
/// and waits for its end. Its standard output is our standard error, its
/// input is empty. On `stop` its process group gets SIGTERM, and SIGKILL when
/// it is still there after `kHookGrace`. Gives what went wrong, "" when it
/// exited 0. Errors: kCancelled, `stop`; kIo, it could not be started.
[[nodiscard]] Result<std::string> run_hook(
    const std::string& command,
    const Environment& additions,
    const std::stop_token& stop);

}  // namespace swavd::state
