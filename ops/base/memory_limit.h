#pragma once

#include <cstdint>
#include <string>

namespace swavd {

/// How much memory this process may use, and who says so.
struct MemoryLimit {
  std::uint64_t bytes = 0;  ///< 0: could not be found out
  std::string source;       ///< the file that says so
};

/// The least of the machine's memory and the limits of the control groups
/// (version 2) around this process. `root` stands before `/proc` and `/sys`:
/// empty but in tests.
[[nodiscard]] MemoryLimit memory_limit(const std::string& root = "");

}  // namespace swavd
