#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include "ops/base/result.h"

namespace swavd::daemon {

/// How a child came to its end.
enum class ChildEnd {
  kExited,     ///< by itself, with `status`
  kSignalled,  ///< by signal `status`
  kTimedOut,   ///< it was killed: the time was up
  kStopped,    ///< it was killed: `stop`
};

struct ChildOutcome {
  ChildEnd end = ChildEnd::kExited;
  int status = 0;
  std::string out;  ///< standard output, at most 1 MiB of it
  std::string err;  ///< the end of standard error, at most 4 KiB
};

/// Runs a program beside this one in a process group of its own and waits for
/// its end. It gets what nobody else wants: niceness 19, the idle scheduling
/// class, the idle I/O class (each where the system lets us). Its input is
/// empty, no descriptor but the three of standard is inherited, no signal is
/// blocked. After `limit` or on `stop` its group is killed.
/// Errors: kIo, it could not be started or watched.
[[nodiscard]] Result<ChildOutcome> run_idle_child(
    const std::string& program,
    const std::vector<std::string>& arguments,
    std::chrono::milliseconds limit,
    const std::stop_token& stop);

}  // namespace swavd::daemon
