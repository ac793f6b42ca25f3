#include "ops/base/clock.h"

#include <ctime>

#include <fmt/format.h>

namespace swavd {

std::chrono::steady_clock::time_point SystemClock::steady() const {
  return std::chrono::steady_clock::now();
}

std::int64_t SystemClock::unix_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  constexpr double kNano = 1e-9;
  return static_cast<double>(now.tv_sec) +
         kNano * static_cast<double>(now.tv_nsec);
}

std::string format_utc(std::int64_t unix_ms) {
  constexpr std::int64_t kMsPerSecond = 1000;
  const std::time_t seconds = static_cast<std::time_t>(unix_ms / kMsPerSecond);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  constexpr int kTmEpoch = 1900;
  return fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
      utc.tm_year + kTmEpoch,
      utc.tm_mon + 1,
      utc.tm_mday,
      utc.tm_hour,
      utc.tm_min,
      utc.tm_sec,
      unix_ms % kMsPerSecond);
}

}  // namespace swavd
