#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "ops/base/philox.h"

namespace swavd::state {

struct RetryOptions {
  int attempts = 8;  ///< the first included
  std::chrono::milliseconds first_pause{100};
  std::chrono::milliseconds longest_pause{20'000};
};

/// The pauses between the attempts of one request: full jitter, so that many
/// clients that failed together do not come back together. Not thread-safe.
class Retry {
 public:
  /// `wait` lets time pass.
  Retry(
      RetryOptions options,
      Random random,
      std::function<void(std::chrono::milliseconds)> wait);

  /// Before the next attempt: waits, at least `asked` (what a server wished,
  /// heeded up to `longest_pause`). False, at once, when all are used up.
  [[nodiscard]] bool again(
      std::optional<std::chrono::milliseconds> asked = std::nullopt);

  /// The last attempt got somewhere: counting begins anew.
  void progressed() { failed_ = 0; }

  /// Attempts that failed in a row.
  [[nodiscard]] int failed() const { return failed_; }

 private:
  RetryOptions options_;
  Random random_;
  std::function<void(std::chrono::milliseconds)> wait_;
  int failed_ = 0;
};

}  // namespace swavd::state
