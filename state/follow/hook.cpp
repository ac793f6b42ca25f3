#include "state/follow/hook.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/base/files.h"
#include "ops/base/spawn_setup.h"

namespace swavd::state {

namespace {

constexpr const char* kShell = "/bin/sh";

/// "NAME=VALUE" for this process's environment with `additions` over it.
std::vector<std::string> merged(const Environment& additions) {
  std::vector<std::string> entries;
  for (const auto& [name, value] : additions) {
    entries.push_back(name + "=" + value);
  }
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    bool replaced = false;
    for (const auto& [name, value] : additions) {
      replaced = replaced || text.starts_with(name + "=");
    }
    if (!replaced) {
      entries.emplace_back(text);
    }
  }
  return entries;
}

/// Starts the command in a shell; 0 or an error number.
int spawn(
    const std::string& command,
    const Environment& additions,
    pid_t& pid) {
  std::vector<std::string> entries = merged(additions);
  std::vector<char*> environment;
  for (std::string& entry : entries) {
    environment.push_back(entry.data());
  }
  environment.push_back(nullptr);
  std::string shell = kShell;
  std::string dash_c = "-c";
  std::string script = command;
  char* arguments[] = {shell.data(), dash_c.data(), script.data(), nullptr};

  SpawnSetup setup;
  posix_spawn_file_actions_adddup2(setup.files(), STDERR_FILENO, STDOUT_FILENO);
  return ::posix_spawn(
      &pid,
      kShell,
      setup.files(),
      setup.attributes(),
      arguments,
      environment.data());
}

/// Waits until one of the two can be read or `timeout` (-1: for ever) has
/// passed; `second` may be -1.
void wait_for(int first, int second, int timeout_ms) {
  pollfd both[] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
  while (::poll(both, 2, timeout_ms) < 0 && errno == EINTR) {
  }
}

/// The status of `pid` if it has ended.
std::optional<int> ended(pid_t pid) {
  int status = 0;
  return ::waitpid(pid, &status, WNOHANG) == pid ? std::optional(status)
                                                 : std::nullopt;
}

std::string what_happened(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("was ended by signal {}", WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0
             ? std::string()
             : fmt::format("exited with status {}", WEXITSTATUS(status));
}

/// Waits for the end of `pid`; its status, or nullopt after a stop.
std::optional<int>
wait_for_end(pid_t pid, int pid_file, const std::stop_token& stop) {
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  {
    const std::stop_callback on_stop(stop, [wake] {
      const std::uint64_t one = 1;
      (void)!::write(wake, &one, sizeof(one));
    });
    wait_for(pid_file, wake, -1);
  }
  ::close(wake);
  const std::optional<int> status = ended(pid);
  if (!status) {
    ::kill(-pid, SIGTERM);
    wait_for(pid_file, -1, static_cast<int>(kHookGrace.count()));
    if (!ended(pid)) {
      ::kill(-pid, SIGKILL);
      wait_for(pid_file, -1, -1);
      (void)ended(pid);
    }
  }
  return status;
}

}  // namespace

Result<std::string> run_hook(
    const std::string& command,
    const Environment& additions,
    const std::stop_token& stop) {
  pid_t pid = 0;
  if (const int failure = spawn(command, additions, pid); failure != 0) {
    return errno_error(failure, "start", kShell);
  }
  const int pid_file = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pid_file < 0) {
    const int failure = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return errno_error(failure, "watch the process of", kShell);
  }
  const auto status = wait_for_end(pid, pid_file, stop);
  ::close(pid_file);
  if (!status) {
    return Error{ErrorCode::kCancelled, "stopped while the hook ran"};
  }
  return what_happened(*status);
}

}  // namespace swavd::state
