#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace swavd::e2e {

/// What to start, and where its output goes.
struct Command {
  std::string program;  ///< a path, or a name in SWAVD_TEST_BIN_DIR
  std::vector<std::string> arguments;
  /// "NAME=VALUE" on top of this process's environment, from which everything
  /// that steers swavd or a service manager is taken out first. Without a
  /// SWAVD_CUDA_PLUGIN here there is no GPU.
  std::vector<std::string> environment;
  std::string output;  ///< stdout goes to OUTPUT.out, stderr to OUTPUT.err
};

/// A program that runs beside the test. It is killed when this object goes,
/// and by the kernel when the thread that started it ends: nothing is left
/// behind, however a test ends.
class Process {
 public:
  /// Throws std::runtime_error when the program cannot be started.
  explicit Process(const Command& command);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// Sends a signal; an ended process is left alone.
  void signal(int number) const;

  /// Waits for the end: the exit status, or -N when signal N ended it;
  /// nullopt when `timeout` passed first. May be called again.
  [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds timeout);

  [[nodiscard]] bool running();

  /// SIGKILL, and waits until it is gone.
  void kill();

  /// What it has written so far.
  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  const std::string output_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  std::optional<int> status_;
};

/// The path of a program of this build; a path stays as it is.
[[nodiscard]] std::string program_path(const std::string& program);

/// A program that has come to its end.
struct Finished {
  int status = 0;  ///< as `Process::wait`; kTimedOut when it was killed
  std::string out;
  std::string err;

  static constexpr int kTimedOut = -1000;
};

/// Runs a program to its end, for at most `timeout`; its output is kept in
/// memory only.
[[nodiscard]] Finished run_program(
    const std::string& program,
    const std::vector<std::string>& arguments,
    std::chrono::milliseconds timeout = std::chrono::minutes(2));

/// The whole file, empty when it is not there.
[[nodiscard]] std::string read_text(const std::string& path);

/// A TCP port of 127.0.0.1 that nobody listens on, below the range from which
/// the kernel takes ports of outgoing connections.
[[nodiscard]] int free_port();

}  // namespace swavd::e2e
