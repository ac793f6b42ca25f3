#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace swavd {

/// Where time comes from, so that tests own it. Thread-safe.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  /// Monotonic: for durations and time-outs.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady()
      const = 0;

  /// Wall clock, milliseconds since 1970-01-01T00:00:00Z.
  [[nodiscard]] virtual std::int64_t unix_ms() const = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override;
  [[nodiscard]] std::int64_t unix_ms() const override;
};

/// CPU time that the calling thread has used.
[[nodiscard]] double thread_cpu_seconds();

/// "2026-11-24T08:00:00.123Z" for milliseconds since 1970.
[[nodiscard]] std::string format_utc(std::int64_t unix_ms);

}  // namespace swavd
