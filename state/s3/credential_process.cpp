#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/s3/credential_sources.h"

// POSIX leaves its declaration to the program.
extern char** environ;

namespace swavd::state {

namespace {

constexpr std::chrono::seconds kLongestRun{60};
constexpr std::size_t kLongestOutput = 64U << 10U;

/// The reading end of a pipe, and the process that writes into it.
struct Child {
  pid_t pid = -1;
  int output = -1;
};

/// Starts `command` with nothing to read and its messages thrown away: they
/// may hold what must not be logged. It leads a process group of its own.
std::optional<Child> start_shell(const std::string& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return std::nullopt;
  }
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, ends[1], 1);
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  // Threads of a service have signals blocked, which a child would inherit.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setpgroup(&how, 0);
  posix_spawnattr_setflags(
      &how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::string text = command;
  std::string shell = "sh";
  std::string flag = "-c";
  char* const arguments[] = {shell.data(), flag.data(), text.data(), nullptr};
  Child child{-1, ends[0]};
  const int failed =
      ::posix_spawn(&child.pid, "/bin/sh", &files, &how, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&how);
  ::close(ends[1]);
  if (failed != 0) {
    ::close(ends[0]);
    return std::nullopt;
  }
  return child;
}

/// All it prints until it closes its output; nullopt when that takes too long
/// or is too much.
std::optional<std::string> read_output(int descriptor) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + kLongestRun;
  std::string text;
  std::array<char, 4096> piece{};
  while (text.size() <= kLongestOutput) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - Clock::now());
    pollfd watched{descriptor, POLLIN, 0};
    const int ready = left.count() > 0
                          ? ::poll(&watched, 1, static_cast<int>(left.count()))
                          : 0;
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    const ssize_t got =
        ready > 0 ? ::read(descriptor, piece.data(), piece.size()) : -1;
    if (got == 0) {
      return text;
    }
    if (got < 0) {
      return std::nullopt;
    }
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return std::nullopt;
}

/// Its exit status, -1 when a signal ended it.
int reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) {
      return -1;
    }
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

Result<Credentials> process_credentials(const std::string& command) {
  const auto child = start_shell(command);
  if (!child) {
    return Error{ErrorCode::kUnavailable, "credential_process does not start"};
  }
  const auto output = read_output(child->output);
  ::close(child->output);
  if (!output) {
    ::kill(-child->pid, SIGKILL);
  }
  const int status = reap(child->pid);
  if (!output) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "credential_process took more than {} s or printed more than {} "
            "bytes",
            kLongestRun.count(),
            kLongestOutput)};
  }
  if (status != 0) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "credential_process ended with status {}; run it by hand to see "
            "why",
            status)};
  }
  return credentials_from_json(*output, "SessionToken", "credential_process");
}

}  // namespace swavd::state
