#include "state/s3/retry.h"

#include <algorithm>
#include <utility>

namespace swavd::state {

using std::chrono::milliseconds;

Retry::Retry(
    RetryOptions options,
    Random random,
    std::function<void(milliseconds)> wait)
    : options_(options),
      random_(random),
      wait_(std::move(wait)) {}

bool Retry::again(std::optional<milliseconds> asked) {
  ++failed_;
  if (failed_ >= options_.attempts) {
    return false;
  }
  constexpr int kLargestShift = 30;
  const milliseconds bound = std::min<milliseconds>(
      options_.longest_pause,
      options_.first_pause * (1LL << std::min(failed_ - 1, kLargestShift)));
  const milliseconds drawn(static_cast<milliseconds::rep>(
      random_.uniform(0, static_cast<double>(bound.count()))));
  wait_(
      std::max(drawn, std::min(asked.value_or(drawn), options_.longest_pause)));
  return true;
}

}  // namespace swavd::state
