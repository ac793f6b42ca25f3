#include "metrics/procfs/process_stats.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace swavd::metrics {
namespace {

// Fields of /proc/self/stat that stand behind the command's name (proc(5)
// counts from 1; the first one behind the name is number 3).
struct StatLine {
  double user_ticks = 0;      // 14
  double system_ticks = 0;    // 15
  double start_ticks = 0;     // 22, since boot
  double virtual_bytes = 0;   // 23
  double resident_pages = 0;  // 24
};

StatLine read_stat_line() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // The name is in parentheses and may hold any character but a NUL.
  const auto end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) {
    return {};
  }
  std::istringstream fields(line.substr(end_of_name + 1));
  StatLine stat;
  std::string skipped;
  for (int number = 3; number <= 24 && fields; ++number) {
    switch (number) {
      case 14:
        fields >> stat.user_ticks;
        break;
      case 15:
        fields >> stat.system_ticks;
        break;
      case 22:
        fields >> stat.start_ticks;
        break;
      case 23:
        fields >> stat.virtual_bytes;
        break;
      case 24:
        fields >> stat.resident_pages;
        break;
      default:
        fields >> skipped;
    }
  }
  return stat;
}

double boot_time_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  while (file >> word) {
    if (double seconds = 0; word == "btime" && file >> seconds) {
      return seconds;
    }
  }
  return 0;
}

std::uint64_t count_open_fds() {
  std::error_code error;
  const std::filesystem::directory_iterator folder("/proc/self/fd", error);
  if (error) {
    return 0;
  }
  // The iterator itself holds one of them open.
  return static_cast<std::uint64_t>(std::distance(begin(folder), end(folder))) -
         1;
}

}  // namespace

ProcessStats read_process_stats() {
  const StatLine stat = read_stat_line();
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  ProcessStats stats;
  stats.cpu_seconds = (stat.user_ticks + stat.system_ticks) / ticks_per_second;
  stats.start_time_seconds =
      boot_time_seconds() + stat.start_ticks / ticks_per_second;
  stats.virtual_bytes = static_cast<std::uint64_t>(stat.virtual_bytes);
  stats.resident_bytes = static_cast<std::uint64_t>(
      stat.resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  stats.open_fds = count_open_fds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    stats.max_fds = limit.rlim_cur;
  }
  return stats;
}

}  // namespace swavd::metrics
