#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "ops/base/clock.h"

namespace swavd::state {

/// What the S3 client takes from the machine, so that tests own it.
struct Surroundings {
  std::shared_ptr<const Clock> clock;  // shared: the store and its caller
  /// Lets so much time pass.
  std::function<void(std::chrono::milliseconds)> wait;
  /// An environment variable; empty when it is not set.
  std::function<std::string(const char* name)> variable;
  /// Keys the random numbers of pauses.
  std::uint64_t seed = 0;
  /// Names one put, so that it is known again: not the same twice, anywhere.
  std::function<std::string()> unique_name;
};

/// The machine's clock, environment and entropy.
[[nodiscard]] Surroundings machine_surroundings();

}  // namespace swavd::state
