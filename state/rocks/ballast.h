#pragma once

#include <cstdint>
#include <filesystem>

#include "ops/base/result.h"

namespace swavd::state {

/// A file that only takes up room, given up when a full disk leaves none to
/// drop old snapshots: even a drop writes a little.
class Ballast {
 public:
  /// `bytes`: its length. Nothing is created yet.
  Ballast(std::filesystem::path path, std::uint64_t bytes);

  /// Takes the room if `spare` bytes stay free beside it. A disk without that
  /// room, or a filesystem that cannot set room aside, is no error: true when
  /// the ballast is there. Errors: kIo.
  [[nodiscard]] Result<bool> take(std::uint64_t spare);

  /// Gives the room back. Errors: kIo.
  [[nodiscard]] Status give_up();

 private:
  std::filesystem::path path_;
  std::uint64_t bytes_;
};

}  // namespace swavd::state
