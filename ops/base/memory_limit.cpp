#include "ops/base/memory_limit.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

namespace swavd {

namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end != text.data() ? std::optional(number)
                                                    : std::nullopt;
}

std::uint64_t total_memory(const std::string& file) {
  std::ifstream lines(file);
  std::string name;
  std::uint64_t kibibytes = 0;
  std::string rest;
  while (lines >> name >> kibibytes && std::getline(lines, rest)) {
    if (name == "MemTotal:") {
      return kibibytes * 1024;
    }
  }
  return 0;
}

/// "/system.slice/swavd.service" out of "0::/system.slice/swavd.service".
std::string control_group(const std::string& file) {
  constexpr std::string_view kVersion2 = "0::";
  std::ifstream lines(file);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with(kVersion2)) {
      return line.substr(kVersion2.size());
    }
  }
  return "";
}

}  // namespace

MemoryLimit memory_limit(const std::string& root) {
  MemoryLimit least;
  least.source = "/proc/meminfo";
  least.bytes = total_memory(root + least.source);
  // A group's limit holds for all groups inside it.
  std::filesystem::path group = control_group(root + "/proc/self/cgroup");
  while (!group.empty()) {
    const std::string file =
        "/sys/fs/cgroup" + (group / "memory.max").lexically_normal().string();
    std::ifstream limit(root + file);
    std::string text;
    std::getline(limit, text);
    const auto bytes = whole_number(text);  // none for "max"
    if (bytes && (least.bytes == 0 || *bytes < least.bytes)) {
      least = {*bytes, file};
    }
    if (group == group.parent_path()) {
      break;
    }
    group = group.parent_path();
  }
  return least;
}

}  // namespace swavd
