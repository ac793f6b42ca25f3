#include "ops/daemon/idle_child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/base/descriptor.h"
#include "ops/base/files.h"
#include "ops/base/spawn_setup.h"

namespace swavd::daemon {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMostOut = std::size_t{1} << 20U;
constexpr std::size_t kMostErr = 4096;

struct Pipe {
  Descriptor read;
  Descriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return errno_error(errno, "make", "a pipe");
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

/// The last arguments of the system calls, as the kernel names them.
void give_what_nobody_wants(pid_t pid) {
  constexpr int kLowest = 19;
  constexpr int kIoWhoProcess = 1;
  constexpr int kIoClassIdle = 3;
  constexpr int kIoClassShift = 13;
  const sched_param none{};
  (void)::sched_setscheduler(pid, SCHED_IDLE, &none);
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), kLowest);
  (void)::syscall(
      SYS_ioprio_set, kIoWhoProcess, pid, kIoClassIdle << kIoClassShift);
}

/// Our environment, for a child that keeps off the GPU: a priority is nothing
/// that GPUs know of.
std::vector<char*> without_gpu() {
  static char none[] = "SWAVD_CUDA_PLUGIN=";
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with(none)) {
      variables.push_back(*variable);
    }
  }
  variables.push_back(none);
  variables.push_back(nullptr);
  return variables;
}

/// Starts the program; 0 or an error number.
int spawn(
    const std::string& program,
    const std::vector<std::string>& arguments,
    const Pipe& out,
    const Pipe& err,
    pid_t& pid) {
  std::vector<std::string> texts = {program};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) {
    argv.push_back(text.data());
  }
  argv.push_back(nullptr);
  const std::vector<char*> surroundings = without_gpu();
  SpawnSetup setup;
  posix_spawn_file_actions_adddup2(
      setup.files(), out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(
      setup.files(), err.write.get(), STDERR_FILENO);
  // A listening socket in a child that outlives us would keep the port.
  posix_spawn_file_actions_addclosefrom_np(setup.files(), STDERR_FILENO + 1);
  return ::posix_spawn(
      &pid,
      program.c_str(),
      setup.files(),
      setup.attributes(),
      argv.data(),
      surroundings.data());
}

/// Takes what can be read now; false at the end of the stream.
bool take(int descriptor, std::string& text, std::size_t most, bool keep_end) {
  std::array<char, 4096> buffer{};
  const ssize_t bytes = ::read(descriptor, buffer.data(), buffer.size());
  if (bytes < 0) {
    return errno == EINTR || errno == EAGAIN;
  }
  text.append(buffer.data(), static_cast<std::size_t>(bytes));
  if (text.size() > most) {
    text = keep_end ? text.substr(text.size() - most) : text.substr(0, most);
  }
  return bytes > 0;
}

/// What the waiting looks at.
struct Watched {
  Descriptor out;
  Descriptor err;
  Descriptor process;
  int wake = -1;
};

/// Reads until the process has ended. Gives why it must be killed, or
/// kExited when it need not be.
ChildEnd watch(
    Watched& watched,
    steady_clock::time_point deadline,
    ChildOutcome& outcome) {
  while (true) {
    const auto left =
        std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) {
      return ChildEnd::kTimedOut;
    }
    // poll() passes over negative descriptors.
    std::array<pollfd, 4> files = {
        pollfd{watched.out.get(), POLLIN, 0},
        pollfd{watched.err.get(), POLLIN, 0},
        pollfd{watched.process.get(), POLLIN, 0},
        pollfd{watched.wake, POLLIN, 0}};
    constexpr milliseconds kLongest{3'600'000};
    if (::poll(
            files.data(),
            files.size(),
            static_cast<int>(std::min(left, kLongest).count())) < 0) {
      continue;  // EINTR
    }
    if (files[3].revents != 0) {
      return ChildEnd::kStopped;
    }
    if (files[0].revents != 0 &&
        !take(watched.out.get(), outcome.out, kMostOut, false)) {
      watched.out.close();
    }
    if (files[1].revents != 0 &&
        !take(watched.err.get(), outcome.err, kMostErr, true)) {
      watched.err.close();
    }
    // What it wrote before it ended is read first.
    if (files[2].revents != 0 && files[0].revents == 0 &&
        files[1].revents == 0) {
      return ChildEnd::kExited;
    }
  }
}

ChildOutcome collect(
    pid_t pid,
    Watched watched,
    milliseconds limit,
    const std::stop_token& stop) {
  ChildOutcome outcome;
  {
    const std::stop_callback on_stop(stop, [wake = watched.wake] {
      const std::uint64_t one = 1;
      (void)!::write(wake, &one, sizeof(one));
    });
    outcome.end = watch(watched, steady_clock::now() + limit, outcome);
  }
  if (outcome.end != ChildEnd::kExited) {
    ::kill(-pid, SIGKILL);
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (outcome.end == ChildEnd::kExited) {
    outcome.end =
        WIFSIGNALED(status) ? ChildEnd::kSignalled : ChildEnd::kExited;
    outcome.status =
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
  }
  return outcome;
}

}  // namespace

Result<ChildOutcome> run_idle_child(
    const std::string& program,
    const std::vector<std::string>& arguments,
    milliseconds limit,
    const std::stop_token& stop) {
  auto out = make_pipe();
  auto err = make_pipe();
  if (!out.ok() || !err.ok()) {
    return out.ok() ? err.error() : out.error();
  }
  const Descriptor wake(::eventfd(0, EFD_CLOEXEC));
  if (wake.get() < 0) {
    return errno_error(errno, "make", "an event descriptor");
  }
  pid_t pid = 0;
  if (const int failure =
          spawn(program, arguments, out.value(), err.value(), pid);
      failure != 0) {
    return errno_error(failure, "start", program);
  }
  give_what_nobody_wants(pid);
  out.value().write.close();
  err.value().write.close();
  Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process.get() < 0) {
    const int failure = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return errno_error(failure, "watch the process of", program);
  }
  return collect(
      pid,
      {std::move(out.value().read),
       std::move(err.value().read),
       std::move(process),
       wake.get()},
      limit,
      stop);
}

}  // namespace swavd::daemon
