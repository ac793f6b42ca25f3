#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "tests/e2e/process.h"

namespace swavd::faults {

inline constexpr const char* kStrace = "/usr/bin/strace";

/// Waits for the thread of a process that carries this name; 0, with a test
/// failure, when it does not come.
[[nodiscard]] pid_t thread_named(pid_t process, const std::string& name);

/// strace on one thread of a running program, tampering with its system calls
/// ("write:signal=KILL:when=3"), until this object goes. Its counts begin
/// here. A test failure when it does not attach.
[[nodiscard]] std::unique_ptr<e2e::Process> tamper(
    pid_t thread,
    const std::vector<std::string>& injections,
    const std::string& output);

/// The words before a program that run it with its system calls tampered with
/// from the first on; every thread counts for itself.
[[nodiscard]] std::vector<std::string> tampered_from_the_start(
    const std::vector<std::string>& injections);

}  // namespace swavd::faults
