#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/base/check.h"

namespace swavd::state {

/// A program that runs for ever and prints a line for each thing it has done,
/// until it is killed in the middle of one.
class KilledProgram {
 public:
  /// `name`: of a program beside the tests.
  KilledProgram(const std::string& name, std::vector<std::string> arguments) {
    int ends[2];
    SWAVD_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    std::string program = SWAVD_TEST_BIN_DIR "/tests/" + name;
    std::vector<char*> texts{program.data()};
    for (std::string& argument : arguments) {
      texts.push_back(argument.data());
    }
    texts.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    SWAVD_CHECK(
        ::posix_spawn(
            &process_,
            program.c_str(),
            &actions,
            nullptr,
            texts.data(),
            environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
  }

  KilledProgram(const KilledProgram&) = delete;
  KilledProgram& operator=(const KilledProgram&) = delete;

  ~KilledProgram() { ::close(output_); }

  /// Waits for `count` lines.
  void await(std::size_t count) {
    while (open_ && lines() < count) {
      take();
    }
  }

  /// Lets `time` pass, then kills. Gives all whole lines.
  std::string kill_after(std::chrono::microseconds time) {
    const timespec wait{
        0, std::min<long>(std::chrono::nanoseconds(time).count(), 999'999'999)};
    (void)::ppoll(nullptr, 0, &wait, nullptr);
    EXPECT_TRUE(open_) << "it ended by itself";
    ::kill(process_, SIGKILL);
    int status = 0;
    ::waitpid(process_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << status;
    while (open_) {
      take();
    }
    return said_.substr(0, said_.rfind('\n') + 1);
  }

 private:
  void take() {
    char buffer[4096];
    const ssize_t got = ::read(output_, buffer, sizeof buffer);
    open_ = got > 0;
    said_.append(buffer, open_ ? static_cast<std::size_t>(got) : 0);
  }

  [[nodiscard]] std::size_t lines() const {
    return static_cast<std::size_t>(
        std::count(said_.begin(), said_.end(), '\n'));
  }

  pid_t process_ = 0;
  int output_ = -1;
  bool open_ = true;
  std::string said_;
};

}  // namespace swavd::state
