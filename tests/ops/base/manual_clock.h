#pragma once

#include <chrono>
#include <cstdint>

#include "ops/base/clock.h"

namespace swavd::testing {

/// A clock that moves when it is told to; the wall may jump.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(steady_);
  }

  [[nodiscard]] std::int64_t unix_ms() const override { return unix_ms_; }

  void pass(std::chrono::milliseconds time) {
    steady_ += time;
    unix_ms_ += time.count();
  }

  void jump(std::int64_t milliseconds) { unix_ms_ += milliseconds; }

 private:
  std::chrono::milliseconds steady_{1000};
  std::int64_t unix_ms_ = 1'790'000'000'000;
};

}  // namespace swavd::testing
