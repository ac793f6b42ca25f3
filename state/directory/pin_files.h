#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ops/base/result.h"

namespace swavd::state {

inline constexpr const char* kPinsFolder = "pins";

/// The pins of a local store: an empty file `<folder>/<id>` each, so that any
/// process can set one beside the daemon and none loses another's. Setting
/// and dropping exclude each other by `<folder>/.lock`.
class PinFiles {
 public:
  explicit PinFiles(std::filesystem::path folder);

  /// Makes the folder and its lock: later, on a full disk, it may be too late.
  /// Errors: kExhausted, kIo.
  [[nodiscard]] Status prepare() const;

  /// Ascending. Errors: kIo.
  [[nodiscard]] Result<std::vector<std::string>> list() const;

  /// Sets or removes the pin, durably, unless `is_there`, which runs under the
  /// lock, gives an error. Errors: that one; kExhausted, kIo.
  [[nodiscard]] Status set(
      const std::string& id,
      bool pinned,
      const std::function<Status()>& is_there) const;

  /// Runs `drop` under the lock, unless `id` is pinned. Errors: those of
  /// `drop`; kInvalidArgument (pinned), kIo.
  [[nodiscard]] Status unless_pinned(
      const std::string& id,
      const std::function<Status()>& drop) const;

 private:
  std::filesystem::path folder_;
};

/// The refusal to drop a pinned snapshot: kInvalidArgument.
[[nodiscard]] Error is_pinned(const std::string& id);

}  // namespace swavd::state
