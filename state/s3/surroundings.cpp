#include "state/s3/surroundings.h"

#include <cstdlib>
#include <random>
#include <thread>

#include <fmt/format.h>

namespace swavd::state {

namespace {

std::uint64_t entropy() {
  std::random_device device;
  constexpr unsigned kHalf = 32;
  return static_cast<std::uint64_t>(device()) << kHalf | device();
}

}  // namespace

Surroundings machine_surroundings() {
  return {
      std::make_shared<SystemClock>(),
      [](std::chrono::milliseconds time) {
        // The pause before an attempt: nobody could end it by a signal.
        std::this_thread::sleep_for(time);
      },
      [](const char* name) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets variables
        const char* const value = std::getenv(name);
        return std::string(value == nullptr ? "" : value);
      },
      entropy(),
      [] { return fmt::format("{:016x}{:016x}", entropy(), entropy()); }};
}

}  // namespace swavd::state
