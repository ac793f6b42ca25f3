#include "tests/e2e/process.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::e2e {

namespace {

constexpr std::chrono::milliseconds kForever{600'000};

std::runtime_error system_error(const std::string& what) {
  return std::runtime_error(what + ": " + std::strerror(errno));
}

bool steers_programs(const std::string& entry) {
  for (const char* name :
       {"NOTIFY_SOCKET=",
        "WATCHDOG_",
        "RUNTIME_DIRECTORY=",
        "JOURNAL_STREAM=",
        "SWAVD_"}) {
    if (entry.starts_with(name)) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> environment_of(const Command& command) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!steers_programs(*entry)) {
      all.emplace_back(*entry);
    }
  }
  all.insert(all.end(), command.environment.begin(), command.environment.end());
  // The first of a name counts: on the CPU, unless the command says otherwise.
  all.emplace_back("SWAVD_CUDA_PLUGIN=");
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) {
    all.push_back(text.data());
  }
  all.push_back(nullptr);
  return all;
}

int open_output(const std::string& path) {
  const int file =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) {
    throw system_error(path);
  }
  return file;
}

/// The child's side of a fork: system calls only, other threads may have held
/// locks.
[[noreturn]] void
become(char** arguments, char** environment, int out, int err, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(127);  // the parent went before the line above
  }
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

bool can_listen(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = ::bind(
                         socket,
                         reinterpret_cast<const sockaddr*>(&address),
                         sizeof address) == 0;
  ::close(socket);
  return bound;
}

}  // namespace

std::string program_path(const std::string& program) {
  return program.find('/') == std::string::npos
             ? std::string(SWAVD_TEST_BIN_DIR) + "/" + program
             : program;
}

Process::Process(const Command& command) : output_(command.output) {
  std::vector<std::string> arguments = {program_path(command.program)};
  arguments.insert(
      arguments.end(), command.arguments.begin(), command.arguments.end());
  std::vector<std::string> environment = environment_of(command);
  auto argument_pointers = pointers(arguments);
  auto environment_pointers = pointers(environment);
  const int out = open_output(output_ + ".out");
  const int err = open_output(output_ + ".err");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    become(
        argument_pointers.data(),
        environment_pointers.data(),
        out,
        err,
        parent);
  }
  ::close(out);
  ::close(err);
  if (pid_ < 0) {
    throw system_error("fork");
  }
  // glibc 2.36 declares pidfd_open for C only.
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) {
    const auto error = system_error("pidfd_open");
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    throw error;
  }
}

Process::~Process() {
  kill();
  ::close(pidfd_);
}

void Process::signal(int number) const {
  if (!status_) {
    ::kill(pid_, number);
  }
}

std::optional<int> Process::wait(std::chrono::milliseconds timeout) {
  if (status_) {
    return status_;
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  pollfd ended{pidfd_, POLLIN, 0};
  int ready = 0;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    ready = ::poll(
        &ended,
        1,
        static_cast<int>(
            std::max<std::chrono::milliseconds::rep>(left.count(), 0)));
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    return std::nullopt;
  }
  int how = 0;
  if (::waitpid(pid_, &how, 0) != pid_) {
    throw system_error("waitpid");
  }
  status_ = WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
  return status_;
}

bool Process::running() {
  return !wait(std::chrono::milliseconds(0)).has_value();
}

void Process::kill() {
  if (running()) {
    signal(SIGKILL);
    (void)wait(kForever);
  }
}

std::string Process::out() const {
  return read_text(output_ + ".out");
}

std::string Process::err() const {
  return read_text(output_ + ".err");
}

Finished run_program(
    const std::string& program,
    const std::vector<std::string>& arguments,
    std::chrono::milliseconds timeout) {
  const ingest::testing::TempFolder folder;
  Process process({program, arguments, {}, (folder.path() / "run").string()});
  Finished finished;
  const auto status = process.wait(timeout);
  finished.status = status.value_or(Finished::kTimedOut);
  finished.out = process.out();
  finished.err = process.err();
  return finished;
}

std::string read_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

int free_port() {
  constexpr int kLow = 20'000;
  constexpr int kHigh = 32'000;
  static std::mt19937 numbers(static_cast<std::uint32_t>(::getpid()));
  std::uniform_int_distribution<int> draw(kLow, kHigh);
  for (int tries = 0; tries < kHigh - kLow; ++tries) {
    const int port = draw(numbers);
    if (can_listen(port)) {
      return port;
    }
  }
  throw std::runtime_error("no free port on 127.0.0.1");
}

}  // namespace swavd::e2e
