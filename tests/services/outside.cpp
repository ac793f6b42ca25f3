#include "tests/services/outside.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace swavd::services {

std::string deps_folder() {
  const char* moved = std::getenv("SWAVD_DEPS");
  return moved != nullptr ? std::string(moved)
                          : std::string(SWAVD_TEST_SOURCE_DIR) + "/.deps";
}

Ended run_shell(const std::string& command) {
  Ended ended;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    return ended;
  }
  std::array<char, 4096> chunk{};
  std::size_t got = 0;
  while ((got = std::fread(chunk.data(), 1, chunk.size(), pipe)) > 0) {
    ended.out.append(chunk.data(), got);
  }
  ended.ok = ::pclose(pipe) == 0;
  return ended;
}

Ended run_service(
    const std::string& script,
    const std::string& arguments,
    bool with_errors) {
  return run_shell(
      "python3 " + std::string(SWAVD_TEST_SOURCE_DIR) + "/tests/services/" +
      script + " " + arguments + (with_errors ? " 2>&1" : ""));
}

std::optional<std::string> promtool_verdict(const std::string& metrics) {
  const std::string program = deps_folder() + "/promtool/promtool";
  if (!std::filesystem::exists(program)) {
    return std::nullopt;
  }
  const std::filesystem::path page =
      std::filesystem::temp_directory_path() /
      ("swavd-metrics-" + std::to_string(::getpid()));
  std::ofstream(page) << metrics;
  const Ended ended =
      run_shell(program + " check metrics 2>&1 < '" + page.string() + "'");
  std::filesystem::remove(page);
  return ended.ok || !ended.out.empty() ? ended.out : "promtool failed";
}

}  // namespace swavd::services
