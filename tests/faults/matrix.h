#pragma once

#include <cstdint>
#include <string>

namespace swavd::faults {

/// True in `make faults`: every injection there is. Else the short form, a
/// part of each.
[[nodiscard]] bool in_full();

/// `full` in full, else `some`.
[[nodiscard]] std::uint64_t repeats(std::uint64_t full, std::uint64_t some);

/// One row of the fault matrix. It is printed when this object goes, with what
/// the test has come to since it was made, and is left for the driver as a
/// JSON file in SWAVD_FAULTS_ROWS when that names a folder.
class Row {
 public:
  /// What goes wrong, and what must then hold.
  Row(std::string fault, std::string expected);
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;
  ~Row();

  /// Counts injections that took place.
  void injected(std::uint64_t count = 1) { injections_ += count; }

  [[nodiscard]] std::uint64_t injections() const { return injections_; }

 private:
  const std::string fault_;
  const std::string expected_;
  std::uint64_t injections_ = 0;
};

}  // namespace swavd::faults
