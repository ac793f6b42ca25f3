#include "tests/faults/injection.h"

#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/scale.h"

namespace swavd::faults {

namespace {

/// `trace=` names what is looked at, `inject=` what is done to it.
void add_expressions(
    std::vector<std::string>& words,
    const std::vector<std::string>& injections) {
  std::string traced = "trace=";
  for (const std::string& injection : injections) {
    traced += (traced.back() == '=' ? "" : ",") +
              injection.substr(0, injection.find(':'));
  }
  words.insert(words.end(), {"-e", traced});
  for (const std::string& injection : injections) {
    words.insert(words.end(), {"-e", "inject=" + injection});
  }
}

pid_t find_thread(pid_t process, const std::string& name) {
  std::error_code gone;
  const std::string tasks = fmt::format("/proc/{}/task", process);
  for (const auto& task : std::filesystem::directory_iterator(tasks, gone)) {
    if (e2e::read_text((task.path() / "comm").string()) == name + "\n") {
      return static_cast<pid_t>(std::stoi(task.path().filename().string()));
    }
  }
  return 0;
}

}  // namespace

pid_t thread_named(pid_t process, const std::string& name) {
  pid_t found = 0;
  // A thread is there before it has its name.
  EXPECT_TRUE(e2e::wait_until(
      e2e::kPatience,
      [&] {
        found = find_thread(process, name);
        return found != 0;
      }))
      << "no thread " << name;
  return found;
}

std::unique_ptr<e2e::Process> tamper(
    pid_t thread,
    const std::vector<std::string>& injections,
    const std::string& output) {
  std::vector<std::string> words = {
      "-p", std::to_string(thread), "-o", "/dev/null"};
  add_expressions(words, injections);
  auto strace =
      std::make_unique<e2e::Process>(e2e::Command{kStrace, words, {}, output});
  EXPECT_TRUE(e2e::wait_until(e2e::kPatience, [&] {
    return strace->err().find("attached") != std::string::npos ||
           !strace->running();
  }));
  EXPECT_NE(strace->err().find("attached"), std::string::npos) << strace->err();
  return strace;
}

std::vector<std::string> tampered_from_the_start(
    const std::vector<std::string>& injections) {
  // -D: the program stays the child, strace is the grandchild.
  std::vector<std::string> words = {
      kStrace, "-D", "-f", "-qq", "-o", "/dev/null"};
  add_expressions(words, injections);
  return words;
}

}  // namespace swavd::faults
