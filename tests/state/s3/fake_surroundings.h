#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ops/base/clock.h"
#include "state/s3/surroundings.h"

namespace swavd::state {

/// Stands where a test puts it.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(
        std::chrono::milliseconds(now_ms));
  }

  [[nodiscard]] std::int64_t unix_ms() const override { return now_ms; }

  std::int64_t now_ms = 1'800'000'000'000;  // 2027-01-15T08:00:00Z
};

/// A machine whose time passes at once, with the variables a test sets.
struct FakeMachine {
  std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>();
  std::map<std::string, std::string> variables;
  std::vector<std::chrono::milliseconds> pauses;
  int names = 0;

  /// Borrows this object.
  [[nodiscard]] Surroundings surroundings() {
    return {
        clock,
        [this](std::chrono::milliseconds time) {
          pauses.push_back(time);
          clock->now_ms += time.count();
        },
        [this](const char* name) {
          const auto found = variables.find(name);
          return found == variables.end() ? std::string() : found->second;
        },
        7,
        [this] { return "put" + std::to_string(names++); }};
  }
};

}  // namespace swavd::state
