#pragma once

#include <filesystem>
#include <utility>

#include "ops/base/result.h"

namespace swavd::state {

/// A lock among all processes (flock) that waits for its turn, which comes
/// soon: nobody copies data under it. Held until destruction.
class WaitingLock {
 public:
  /// Creates the file `path` when it is absent. Errors: kNotFound (its
  /// folder), kIo.
  [[nodiscard]] static Result<WaitingLock> acquire(
      const std::filesystem::path& path);

  WaitingLock(WaitingLock&& other) noexcept
      : file_(std::exchange(other.file_, -1)) {}

  WaitingLock(const WaitingLock&) = delete;
  WaitingLock& operator=(const WaitingLock&) = delete;
  WaitingLock& operator=(WaitingLock&&) = delete;
  ~WaitingLock();

 private:
  explicit WaitingLock(int file) : file_(file) {}

  int file_;
};

}  // namespace swavd::state
