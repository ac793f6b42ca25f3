// Keeps the folder in argv[2] at the newest snapshot of argv[1], in many small
// parts, until it is killed. Prints the id of each switch.
#include <cstdio>
#include <stop_token>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "ops/base/clock.h"
#include "state/snapshot_follow.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    return 64;
  }
  const swavd::SystemClock clock;
  swavd::state::FollowOptions options;
  options.every = std::chrono::milliseconds(1);
  options.longest_pause = std::chrono::milliseconds(2);
  options.grace = std::chrono::milliseconds(0);
  options.part_bytes = 1024;
  swavd::state::FollowEvents events;
  events.switched = [](const swavd::state::FollowSwitch& made) {
    fmt::print("{}\n", made.id);
    std::fflush(stdout);
  };
  events.trouble = [](std::string_view reason, const std::string& message) {
    fmt::print(stderr, "{}: {}\n", reason, message);
  };
  const auto totals = swavd::state::follow(
      clock, argv[1], argv[2], options, events, std::stop_token());
  if (!totals.ok()) {
    fmt::print(stderr, "{}\n", totals.error().message);
    return swavd::exit_code(totals.error().code);
  }
  return 0;
}
